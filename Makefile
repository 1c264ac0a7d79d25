# SPDX-License-Identifier: GPL-2.0-only
# "make help" lists the targets. V=1 shows the commands, CC=clang and ARCH=arm64 do what they say.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# bpftool lives in /usr/sbin, which is not on every user's PATH
export PATH := $(PATH):/usr/sbin:/sbin
export PYTHONDONTWRITEBYTECODE := 1

HOST_ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
ARCH_GIVEN := $(if $(filter command environment,$(origin ARCH)),$(ARCH))
ARCH ?= $(HOST_ARCH)
override ARCH := $(patsubst aarch64,arm64,$(patsubst amd64,x86,$(patsubst x86_64,x86,$(ARCH))))
ARCHES := $(patsubst vmlinux/%/,%,$(wildcard vmlinux/*/))
ifeq ($(filter $(ARCH),$(ARCHES)),)
$(error vmlinux/ has no kernel types for ARCH=$(ARCH), only for $(ARCHES))
endif

CROSS := $(filter-out $(HOST_ARCH),$(ARCH))
CROSS_COMPILE ?= $(if $(CROSS),$(patsubst arm64,aarch64,$(ARCH:x86=x86_64))-linux-gnu-)
ifneq ($(filter default undefined,$(origin CC)),)
CC := $(CROSS_COMPILE)gcc
endif
ifneq ($(filter default undefined,$(origin AR)),)
AR := $(CROSS_COMPILE)ar
endif
CLANG ?= clang
CLANG_FORMAT ?= $(firstword $(shell command -v clang-format-14) clang-format)
BPFTOOL ?= bpftool
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

OUT := .output$(if $(CROSS),/$(ARCH))
PROGRAM := $(if $(CROSS),$(OUT)/)faultsnoop
Q := $(if $(filter 1,$(V)),,@)
msg = @printf '  %-8s %s\n' '$(1)' '$(2)';

# Under sudo what is built belongs to the calling user: the parts that build run as that user.
AS_USER := tests/setup/as-user
BUILD = $(AS_USER) $(MAKE) -j$(JOBS) --no-print-directory
SUDO_USER_ID := $(if $(filter 0,$(shell id -u)),$(filter-out 0,$(SUDO_UID)))

CFLAGS ?= -O2 -g
WERROR ?= -Werror
TARGET_FLAG := $(if $(CROSS),$(if $(findstring clang,$(CC)),--target=$(CROSS_COMPILE:-=)))
# SYSROOT: where the other architecture's headers and libraries are, if not in this machine's own place
TARGET_FLAG += $(SYSROOT:%=--sysroot=%)
C_FLAGS = -std=gnu11 -D_GNU_SOURCE $(TARGET_FLAG) -Wall -Wextra $(WERROR) -Iinclude -Icmd -I$(OUT) $(CFLAGS)
TEST_FLAGS = $(C_FLAGS) -Wno-unused-parameter -Itests
UNIT_FLAGS = $(TEST_FLAGS) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
	     -fno-omit-frame-pointer
# v3: Linux 6.1 has it, and atomic operations that give a value need it
BPF_FLAGS = -target bpf -mcpu=v3 -g -O2 -D__TARGET_ARCH_$(ARCH) -Wall -Wextra $(WERROR) \
	    -Wno-unused-parameter -Wno-sign-compare -Iinclude -Ivmlinux -I$(OUT)
LIBS := -lbpf -ldw -lelf -liberty -llzma -ljansson -lz -lm -lpthread -ldl

BPF_SRCS := $(sort $(wildcard bpf/*.bpf.c))
BPF_OBJS := $(BPF_SRCS:%.c=$(OUT)/%.o)
SKELETON := $(if $(BPF_SRCS),$(OUT)/faultsnoop.skel.h)
SRCS := $(sort $(wildcard cmd/*.c cmd/*/*.c))
OBJS := $(SRCS:%.c=$(OUT)/%.o)

# A unit test may need its neighbours' helpers: tests/unit/*.c that are no test_*.c
UNIT_TESTS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_LIB_SRCS := $(filter-out cmd/main.c $(UNIT_TESTS),$(SRCS) $(sort $(wildcard tests/unit/*.c)))
UNIT_LIB_OBJS := $(UNIT_LIB_SRCS:%.c=$(OUT)/unit/%.o)
UNIT_TEST_OBJS := $(UNIT_TESTS:%.c=$(OUT)/unit/%.o)
UNIT_PROGRAMS := $(UNIT_TESTS:tests/unit/%.c=$(OUT)/unit/%)

.PHONY: all run test test-vm bench install uninstall clean vmlinux format lint unit test-programs \
	check-build check-test help FORCE

ifneq ($(SUDO_USER_ID),)
all:
	$(Q)$(BUILD) all
else
all: $(if $(wildcard cmd/main.c),$(PROGRAM),$(OBJS) $(SKELETON))
endif

help:
	@echo 'make            build ./faultsnoop, install nothing'
	@echo 'sudo make run   install the missing packages, build, run faultsnoop stat -a -d 5 (ARGS=…)'
	@echo 'sudo make test  the same set-up, then every test'
	@echo 'sudo make test-vm  the live tests on other kernels, in qemu (KERNEL=, ARCH=)'
	@echo 'sudo make bench the same set-up, then the measurements (ARGS=…)'
	@echo 'make install    program, man page and completion (PREFIX=/usr/local, DESTDIR=)'
	@echo 'make unit lint  only these tests          make format  clang-format on all sources'
	@echo 'make vmlinux    vmlinux/$$(ARCH)/vmlinux.h from BTF=/sys/kernel/btf/vmlinux'
	@echo 'make clean      remove what was built'

# ---- the kernel side ----------------------------------------------------------------------------

$(OUT)/bpf/%.bpf.o: bpf/%.bpf.c $(OUT)/bpf.flags | check-build
	$(call msg,BPF,$<) mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c $< -o $@

$(OUT)/faultsnoop.bpf.o: $(BPF_OBJS) $(OUT)/bpf.list
	$(call msg,BPF-LINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJS)

$(OUT)/faultsnoop.skel.h: $(OUT)/faultsnoop.bpf.o
	$(call msg,SKELETON,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name faultsnoop_bpf > $@.tmp && mv $@.tmp $@

# ---- the user side ------------------------------------------------------------------------------

$(OUT)/cmd/%.o: cmd/%.c $(OUT)/cc.flags | check-build
	$(call msg,CC,$<) mkdir -p $(@D)
	$(Q)$(CC) $(C_FLAGS) -MMD -MP -c $< -o $@

# The only room that knows the skeleton: the others need not wait for it
$(filter $(OUT)/cmd/live/% $(OUT)/unit/cmd/live/%,$(OBJS) $(UNIT_LIB_OBJS)): | $(SKELETON)

# Embedded by .incbin, of which -MMD knows nothing
$(OUT)/cmd/output/flame_svg.o $(OUT)/unit/cmd/output/flame_svg.o: cmd/output/flame_svg.js \
	cmd/output/flame_svg.css

$(PROGRAM): $(OBJS) $(OUT)/cc.list
	$(call msg,LINK,$@)
	$(Q)$(CC) $(TARGET_FLAG) $(CFLAGS) $(LDFLAGS) $(OBJS) -o $@ $(LIBS)

$(OUT)/faultsnoop.8: $(PROGRAM)
	$(call msg,MAN,$@)
	$(Q)./$(PROGRAM) help --man > $@.tmp && mv $@.tmp $@

$(OUT)/faultsnoop.bash: $(PROGRAM)
	$(call msg,COMPLETE,$@)
	$(Q)./$(PROGRAM) help --completion > $@.tmp && mv $@.tmp $@

# ---- unit tests: every object again, with the sanitizers ----------------------------------------

$(OUT)/unit/%.o: %.c $(OUT)/unit.flags | check-test
	$(call msg,CC-SAN,$<) mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_FLAGS) -MMD -MP -c $< -o $@

$(OUT)/unit/libfaultsnoop.a: $(UNIT_LIB_OBJS) $(OUT)/cc.list
	$(call msg,AR,$@) mkdir -p $(@D); rm -f $@
	$(Q)$(AR) rcs $@ $(UNIT_LIB_OBJS)

$(UNIT_PROGRAMS): $(OUT)/unit/%: $(OUT)/unit/tests/unit/%.o $(OUT)/unit/libfaultsnoop.a
	$(call msg,LINK-SAN,$@)
	$(Q)$(CC) $(UNIT_FLAGS) $(LDFLAGS) $^ -o $@ -lcmocka $(LIBS)

# ---- what rules depend on besides files ---------------------------------------------------------

# Written anew only where the text differs, so that other flags or a removed source rebuild
stamp = @mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || \
	printf '%s\n' '$(subst ','\'',$(1))' > $@
$(OUT)/bpf.flags: FORCE
	$(call stamp,$(CLANG) $(BPF_FLAGS))
$(OUT)/bpf.list: FORCE
	$(call stamp,$(BPFTOOL) $(BPF_OBJS))
$(OUT)/cc.flags: FORCE
	$(call stamp,$(CC) $(C_FLAGS))
$(OUT)/unit.flags: FORCE
	$(call stamp,$(CC) $(UNIT_FLAGS))
$(OUT)/cc.list: FORCE
	$(call stamp,$(LDFLAGS) $(OBJS) $(UNIT_LIB_OBJS))

CHECK := CC='$(strip $(CC) $(TARGET_FLAG))' CLANG='$(CLANG)' BPFTOOL='$(BPFTOOL)' CROSS='$(CROSS)' tests/setup/check
check-build:
	@$(CHECK) build
check-test: check-build
	@$(CHECK) test

# ---- two commands: run and test -----------------------------------------------------------------

run:
	$(Q)tests/setup/install build
	$(Q)+$(BUILD) all
	$(Q)./$(PROGRAM) $(or $(ARGS),stat -a -d 5)

# TESTS: the parts to run; vm is the matrix of kernels, fuzz needs no root
TESTS ?= lint unit live
test:
	$(Q)tests/setup/install build test $(filter vm fuzz,$(TESTS))
	$(Q)+$(BUILD) test-programs $(if $(filter fuzz,$(TESTS)),fuzz-programs)
	$(Q)tests/run $(TESTS)

# KERNEL=6.1, or the path of a vmlinuz; ARCH=arm64: only the machines of that architecture
test-vm:
	$(Q)tests/setup/install build test vm
	$(Q)VM_ARCH='$(patsubst aarch64,arm64,$(patsubst x86%,amd64,$(ARCH_GIVEN)))' \
		KERNEL='$(if $(filter command environment,$(origin KERNEL)),$(KERNEL))' tests/run vm

bench:
	$(Q)tests/setup/install build test
	$(Q)+$(BUILD) test-programs
	$(Q)tests/bench/run $(ARGS)

unit:
	$(Q)+$(BUILD) $(UNIT_PROGRAMS)
	$(Q)$(AS_USER) tests/unit/run

lint:
	$(Q)$(AS_USER) tests/lint/run

# Directories under tests/ may bring a fragment that adds to TEST_PROGRAMS and says how to build it
TEST_PROGRAMS :=
include $(wildcard tests/*/*.mk)
test-programs: all $(UNIT_PROGRAMS) $(TEST_PROGRAMS)

# ---- the rest -----------------------------------------------------------------------------------

SBIN = $(DESTDIR)$(PREFIX)/sbin/faultsnoop
MAN = $(DESTDIR)$(PREFIX)/share/man/man8/faultsnoop.8
COMPLETION = $(DESTDIR)$(PREFIX)/share/bash-completion/completions/faultsnoop

install:
	$(Q)+$(BUILD) all $(OUT)/faultsnoop.8 $(OUT)/faultsnoop.bash
	$(Q)install -D -m 755 $(PROGRAM) '$(SBIN)'
	$(Q)install -D -m 644 $(OUT)/faultsnoop.8 '$(MAN)'
	$(Q)install -D -m 644 $(OUT)/faultsnoop.bash '$(COMPLETION)'

uninstall:
	$(Q)rm -f '$(SBIN)' '$(MAN)' '$(COMPLETION)'

clean:
	$(Q)rm -rf .output faultsnoop

BTF ?= /sys/kernel/btf/vmlinux
KERNEL ?= $(if $(filter /sys/%,$(BTF)),$(shell uname -r | sed 's/[^0-9.].*//'),$(notdir $(BTF)))
vmlinux:
	$(Q){ echo '/* SPDX-License-Identifier: GPL-2.0-only */' && \
	echo '/* Made by "make vmlinux" from the BTF of Linux $(KERNEL): never edited. */' && \
	$(BPFTOOL) btf dump file '$(BTF)' format c; } > vmlinux/$(ARCH)/vmlinux.h.tmp && \
	mv vmlinux/$(ARCH)/vmlinux.h.tmp vmlinux/$(ARCH)/vmlinux.h || \
	{ rm -f vmlinux/$(ARCH)/vmlinux.h.tmp; exit 1; }

format:
	$(Q)find bpf cmd include tests -name '*.[ch]' -exec $(CLANG_FORMAT) -i {} +

-include $(BPF_OBJS:.o=.d) $(OBJS:.o=.d) $(UNIT_LIB_OBJS:.o=.d) $(UNIT_TEST_OBJS:.o=.d)
