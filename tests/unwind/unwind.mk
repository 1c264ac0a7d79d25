# SPDX-License-Identifier: GPL-2.0-only
# What elfutils says of unwinding, to compare with.
UNWIND_RULES := $(OUT)/unwind/rules
TEST_PROGRAMS += $(UNWIND_RULES)

UNWIND_OBJS := $(patsubst %.c,$(OUT)/%.o,$(wildcard cmd/symbol/cfi*.c cmd/symbol/rule_set.c cmd/base/file.c \
	cmd/symbol/tables.c cmd/base/memory.c))

$(UNWIND_RULES): tests/unwind/rules.c $(UNWIND_OBJS) $(OUT)/cc.flags
	$(call msg,ORACLE,$@) mkdir -p $(@D)
	$(Q)$(CC) $(TEST_FLAGS) $(LDFLAGS) $< $(UNWIND_OBJS) -o $@ -ldw -lelf
