# SPDX-License-Identifier: GPL-2.0-only
# Measurements of the user side alone: all of it but main, the commands and live/.
BENCH_PROGRAMS := $(OUT)/bench/consumer $(OUT)/bench/bench_stat $(OUT)/bench/bench_layout
BENCH_OBJS := $(filter-out $(OUT)/cmd/%.o,$(OBJS)) $(filter $(OUT)/cmd/analysis/% $(OUT)/cmd/base/% \
	      $(OUT)/cmd/output/% $(OUT)/cmd/region/% $(OUT)/cmd/symbol/%,$(OBJS))
TEST_PROGRAMS += $(BENCH_PROGRAMS)

$(BENCH_PROGRAMS): $(OUT)/bench/%: tests/bench/%.c $(BENCH_OBJS)
	$(call msg,BENCH,$@) mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(LDFLAGS) $< $(BENCH_OBJS) -o $@ $(LIBS)
