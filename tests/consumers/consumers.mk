# SPDX-License-Identifier: GPL-2.0-only
# A fixed profile in each format, for the programs that read them.
MAKE_PROFILE := $(OUT)/consumers/make_profile
MAKE_PROFILE_OBJS := $(filter $(OUT)/cmd/analysis/% $(OUT)/cmd/base/% $(OUT)/cmd/output/% \
		     $(OUT)/cmd/region/% $(OUT)/cmd/symbol/%,$(OBJS))
TEST_PROGRAMS += $(MAKE_PROFILE)

$(MAKE_PROFILE): tests/consumers/make_profile.c $(MAKE_PROFILE_OBJS)
	$(call msg,CONSUMER,$@) mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(LDFLAGS) $< $(MAKE_PROFILE_OBJS) -o $@ $(LIBS)
