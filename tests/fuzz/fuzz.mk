# SPDX-License-Identifier: GPL-2.0-only
# Fuzzing: fuzz_NAME.c is linked with the rooms base and symbol; corpus/NAME/ is where it starts.
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_PROGRAMS := $(FUZZ_SRCS:tests/fuzz/%.c=$(OUT)/fuzz/%)
FUZZ_FLAGS = -std=gnu11 -D_GNU_SOURCE -Wall -Wextra $(WERROR) -Wno-unused-parameter -Iinclude \
	     -Icmd -I$(OUT) -g -O1 -fsanitize=fuzzer-no-link,address,undefined \
	     -fno-sanitize-recover=all
# The rooms that read what others have made
FUZZ_LIB_OBJS := $(patsubst %.c,$(OUT)/fuzz/%.o,$(filter cmd/base/% cmd/symbol/%,$(SRCS)))

.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)

# SECONDS: how long each of them runs
fuzz:
	$(Q)CLANG='$(CLANG)' tests/setup/check fuzz
	$(Q)+$(BUILD) fuzz-programs
	$(Q)$(AS_USER) tests/fuzz/run $(SECONDS)

$(OUT)/fuzz/%.o: %.c $(OUT)/fuzz.flags
	$(call msg,CC-FUZZ,$<) mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -MMD -MP -c $< -o $@

$(FUZZ_PROGRAMS): $(OUT)/fuzz/%: $(OUT)/fuzz/tests/fuzz/%.o $(FUZZ_LIB_OBJS)
	$(call msg,LINK-FUZZ,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer $^ -o $@ $(LIBS)

$(OUT)/fuzz.flags: FORCE
	$(call stamp,$(CLANG) $(FUZZ_FLAGS))

-include $(FUZZ_LIB_OBJS:.o=.d) $(FUZZ_SRCS:%.c=$(OUT)/fuzz/%.d)
