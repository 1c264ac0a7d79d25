# SPDX-License-Identifier: GPL-2.0-only
# What the kernel says of each fault, to compare with: a BPF program of its own and its loader.
ORACLE := $(OUT)/oracle/oracle
TEST_PROGRAMS += $(ORACLE)

.PHONY: oracle
oracle: $(ORACLE)

$(ORACLE).bpf.o: tests/oracle/oracle.bpf.c tests/oracle/oracle.h $(OUT)/bpf.flags | check-build
	$(call msg,BPF,$<) mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -Itests/oracle -c $< -o $@

$(ORACLE).skel.h: $(ORACLE).bpf.o
	$(call msg,SKELETON,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name oracle_bpf > $@.tmp && mv $@.tmp $@

$(ORACLE): tests/oracle/oracle.c tests/oracle/oracle.h $(ORACLE).skel.h $(OUT)/cc.flags
	$(call msg,ORACLE,$@)
	$(Q)$(CC) $(TEST_FLAGS) $(LDFLAGS) $< -o $@ $(LIBS)
