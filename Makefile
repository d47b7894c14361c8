# SPDX-License-Identifier: MIT
# `make help` lists what can be asked for. Everything is built below build/.

VERSION   := 0.1.0
SOVERSION := 0

# CROSS=aarch64-linux-gnu- builds for another machine; deps fetches its libraries into SYSROOT.
CROSS   ?=
ifneq ($(filter undefined default,$(origin CC)),)
CC      := $(CROSS)gcc
endif
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=
# Where the shells look for completions of other programs; Debian's zsh: share/zsh/vendor-completions.
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR  ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
# Units, and what systemd-sysusers(8) and systemd-tmpfiles(8) read.
SYSTEMDDIR ?= $(PREFIX)/lib

# ---- variants: a plain build lies in build/, any other in a folder of its own ----------------

empty :=
space := $(empty) $(empty)
comma := ,
variant := $(strip $(if $(filter-out gcc,$(CC)),$(subst /,_,$(CC))) $(subst $(comma),-,$(SANITIZE)) \
             $(if $(COVERAGE),coverage))
OUT := build$(if $(variant),/$(subst $(space),-,$(variant)))

# ---- the machine that is built for ------------------------------------------------------------

TARGET  := $(shell $(CC) -dumpmachine 2>/dev/null)
LD      := $(CROSS)ld
AR      := $(CROSS)ar
OBJCOPY := $(CROSS)objcopy
SYSROOT ?= $(if $(CROSS),$(patsubst %/.packages,%,$(wildcard build/sysroot/$(TARGET)/.packages)))
ROOTED  := $(if $(SYSROOT),--sysroot=$(SYSROOT))
PKG_CONFIG ?= $(if $(CROSS),env PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
    PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/$(TARGET)/pkgconfig:$(SYSROOT)/usr/share/pkgconfig) pkg-config

# ---- flags -----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror
HARDEN   := -fstack-protector-strong -fstack-clash-protection \
            $(if $(filter x86_64-%,$(TARGET)),-fcf-protection) \
            $(if $(filter aarch64-%,$(TARGET)),-mbranch-protection=standard)
OPTIMISE := -O2 -D_FORTIFY_SOURCE=2
LINKHARD := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
ifneq ($(SANITIZE),)
OPTIMISE := -O1 -fno-omit-frame-pointer -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
HARDEN   :=
LINKHARD := -fsanitize=$(SANITIZE)
endif
ifneq ($(COVERAGE),)
OPTIMISE := -O0 --coverage
LINKHARD := --coverage
endif
LINKHARD := $(ROOTED) $(LINKHARD) $(LDFLAGS)

PACKAGES      := libcap-ng libseccomp yaml-0.1 libsodium
# The embedded server's: its XML.
HOST_PACKAGES := expat
# Without libzstd the command does not read logs that zstd(1) packed; ZSTD= leaves it out.
ZSTD          ?= $(shell $(PKG_CONFIG) --exists libzstd && echo yes)
# Without libdw, which it loads when it needs it, the command does not say functions and lines; LIBDW= leaves it out.
LIBDW         ?= $(shell $(PKG_CONFIG) --exists libdw && echo yes)
TOOL_PACKAGES := jansson zlib $(if $(ZSTD),libzstd)
# Without the header of libpq the command has no `audit load`; the library itself is loaded when it is
# needed, and no program is linked with it. POSTGRESQL= leaves it out.
POSTGRESQL    ?= $(shell $(PKG_CONFIG) --exists libpq && echo yes)
# The same for libedit, with which `miguard run --shell` edits lines; LIBEDIT= leaves it out.
LIBEDIT       ?= $(shell $(PKG_CONFIG) --exists libedit && echo yes)
TEST_PACKAGES := check jansson
# A report of a sanitizer needs functions and lines alone, which are a fifth quicker to compile.
CFLAGS  ?= $(if $(SANITIZE),-g1,-g)
# Two builds in two folders are bit-identical (tests/live/reproducible_test.sh).
PREFIXES := -ffile-prefix-map=$(CURDIR)=.
STD     := $(ROOTED) -std=gnu17 -D_GNU_SOURCE
PIC     := -fPIC -fvisibility=hidden
# pthread_exit(3) and C++ exceptions may come out of a callback: what is held is given back.
UNWIND  := -fexceptions
# What this C library lacks is found by compiling what would use it; src/base/older_libc.h has it.
LACKS   := $(foreach probe,$(wildcard src/probes/*.c),$(if $(shell $(CC) $(STD) -Werror \
             -fsyntax-only $(probe) 2>&1),-DLACKS_$(shell basename $(probe) .c | tr a-z A-Z)))
OLDER   := $(if $(LACKS),$(LACKS) -include src/base/older_libc.h)
FILE_FLAGS := # of one file, set below
ALL_CFLAGS = $(STD) $(FILE_FLAGS) $(OLDER) $(UNWIND) $(CFLAGS) $(PREFIXES) $(OPTIMISE) $(HARDEN) $(WARNINGS) -Iinclude -Isrc -MMD -MP
# dlopen(3) and its like are in a library of their own until glibc 2.34; --as-needed leaves out what
# is empty.
LIBS      = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -pthread -ldl
HOST_LIBS = $(shell $(PKG_CONFIG) --libs $(HOST_PACKAGES))
TEST_LIBS = $(shell $(PKG_CONFIG) --libs $(PACKAGES) $(HOST_PACKAGES) $(TOOL_PACKAGES) $(TEST_PACKAGES)) -pthread -ldl -lm

# ---- the sources -------------------------------------------------------------------------------

# The folders are the lists: what a privileged process loads, what a server is, what only the command
# and the tests do. src/README.md says what each folder may use.
sources    = $(foreach folder,$(1),$(wildcard src/$(folder)/*.c))
shared_src := $(call sources,base)
guard_src  := $(call sources,model identity switch gate policy audit audit/file audit/sink guard \
                gateway shim) $(shared_src)
host_src   := $(call sources,host/object host/query host/mof host/serial host/server) $(shared_src)
core_src   := $(call sources,core)
tools_src  := $(call sources,tools/policy tools/review tools/module tools/sign)
cli_src    := $(call sources,tools/cli)

guard_obj := $(guard_src:%.c=$(OUT)/obj/%.o)
host_obj  := $(host_src:%.c=$(OUT)/obj/%.o)
core_obj  := $(core_src:%.c=$(OUT)/obj/%.o)
cli_obj   := $(cli_src:%.c=$(OUT)/obj/%.o)

tools_obj := $(tools_src:%.c=$(OUT)/obj/%.o)

guard_so  := $(OUT)/libmiguard.so
host_so   := $(OUT)/libmiguard-host.so
core_so   := $(OUT)/libmiguard-core.so
guard_a   := $(OUT)/libmiguard.a
core_a    := $(OUT)/libmiguard-core.a
host_a    := $(OUT)/libmiguard-host.a
shim_so   := $(OUT)/shim-template.so
preload_so := $(if $(SANITIZE),,$(OUT)/libmiguard-preload.so)
cli       := $(OUT)/miguard
pc_files  := $(OUT)/miguard.pc $(OUT)/miguard-host.pc $(OUT)/miguard-core.pc
completions := $(addprefix $(OUT)/completion/,bash zsh fish)

provider_src := $(wildcard tests/providers/*.c)
providers    := $(provider_src:tests/providers/%.c=$(OUT)/providers/%.so)

test_src  := $(wildcard tests/unit/*_test.c tests/table/*_test.c tests/table/*/*_test.c tests/fault/*_test.c \
               tests/live/*_test.c)
tests     := $(test_src:tests/%.c=$(OUT)/tests/%)
support   := $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/support/*.c))
nss_module := $(OUT)/tests/nss/libnss_mgtest.so.2
abi_test  := $(OUT)/tests/table/mi_abi_test
abi_data  := $(addprefix tests/data/mi/,abi.tsv abi-types.tsv table-slots.tsv functions.tsv \
               strings.tsv aliases.tsv)
demo      := $(OUT)/tests/live/demo
bench     := $(OUT)/tests/bench/bench

.DEFAULT_GOAL := all
.PHONY: all deps demo check check-long check-asan check-tsan check-valgrind check-lifetime check-storm check-signals check-denied check-fuzz check-fleet check-fleet-journal check-fleet-units \
        check-contexts check-foreign check-spelling check-tidy check-cppcheck check-audit-model check-arm64 check-arm64-all check-arm64-system check-musl coverage bench bench-large bench-fleet install uninstall \
        format check-format help clean tests
.SECONDARY:
.DELETE_ON_ERROR:

all: deps ## build the libraries, the command and the example providers
	@$(MAKE) --no-print-directory $(PARALLEL) everything

.PHONY: everything
everything: $(guard_so) $(host_so) $(core_so) $(preload_so) $(guard_a) $(host_a) $(core_a) $(cli) $(providers) $(pc_files) \
        $(if $(CROSS),,$(completions))

# As many jobs as there are processors, unless make was called with -j.
PARALLEL := $(if $(findstring j,$(filter -j% --jobserver%,$(MAKEFLAGS))),,-j$(shell nproc))

# V=1 shows each command.
Q   := $(if $(V),,@)
say  = $(if $(V),@:,@echo "  $(1)	$(2)")

# ---- compiling ---------------------------------------------------------------------------------

$(OUT)/obj/src/tools/module/call_line.o: FILE_FLAGS := $(if $(LIBDW),-DHAVE_LIBDW)
$(OUT)/obj/src/tools/review/unpack.o $(addprefix $(OUT)/obj/tests/,unit/audit_unpack_test.o bench/audit_read_bench.o): FILE_FLAGS := $(if $(ZSTD),-DHAVE_ZSTD)
$(OUT)/obj/src/tools/cli/postgresql.o: FILE_FLAGS := $(if $(POSTGRESQL),-DHAVE_POSTGRESQL $(shell $(PKG_CONFIG) --cflags libpq))
$(OUT)/obj/src/tools/cli/shell_edit.o: FILE_FLAGS := $(if $(LIBEDIT),-DHAVE_LIBEDIT $(shell $(PKG_CONFIG) --cflags libedit))
$(OUT)/obj/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(PIC) -c -o $@ $<

# The code of tests is not what is tested, and more than that of the libraries. With less optimisation it is compiled
# in half of the time, and warned of as before: the analyses that warnings need are named (clang's need none). The
# bench measures: it is compiled as the libraries are. With a sanitizer, where what is tested takes the time, it is
# not optimised at all.
warned_by  := $(if $(findstring clang,$(CC)),,-ftree-vrp -foptimize-strlen -fstrict-aliasing)
TEST_CFLAGS = $(if $(filter $(OUT)/obj/tests/bench/%,$@),,$(if $(filter -g,$(CFLAGS)),-g1) \
    $(if $(filter -O2,$(OPTIMISE)),-O1 $(warned_by)) $(if $(SANITIZE),-O0))
$(OUT)/obj/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) $(TEST_CFLAGS) -Itests $(PIC) -c -o $@ $<

# What is shipped is one object whose inner names are local, so that they meet no others; the
# tests link the objects as they are. Groups are dissolved: a linker takes one group of a name, and
# what finds the clean-up of a frame (DW.ref.__gcc_personality_v0), local by then, would be gone.
define static_library
$(OUT)/obj/$(1).a: $(2)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $(2)
$(OUT)/$(1).a: $(2)
	$$(call say,AR,$$@)
	$$(Q)$$(LD) -r --force-group-allocation -o $(OUT)/obj/$(1).o $(2)
	$$(Q)$$(OBJCOPY) --localize-hidden $(3) $(OUT)/obj/$(1).o
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $(OUT)/obj/$(1).o
endef
$(eval $(call static_library,libmiguard,$(guard_obj)))
# Its copy of the status texts would meet libmiguard's in a program that links both.
$(eval $(call static_library,libmiguard-host,$(host_obj),--localize-symbol=miguard_status_name \
                --localize-symbol=miguard_status_text --localize-symbol=miguard_error_text))
# What the command takes from inside the library, whose inner names the shared one hides. A linker
# takes from an archive only the objects that it needs, and the command needs none that has state: the
# gateway in the command must be the one that the providers it loads find. The shared library stands
# before it in a link, and so gives all that it exports. tests/live/layers_test.sh has the list.
tools_a := $(OUT)/obj/libmiguard-tools.a
below   := $(call sources,base model identity policy audit audit/file audit/sink gate host/mof) src/shim/proof.c
$(tools_a): $(tools_obj) $(below:%.c=$(OUT)/obj/%.o)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
cli_libs := -L$(OUT) -lmiguard -lmiguard-host $(tools_a) -Wl,--exclude-libs,ALL

test_a := $(tools_a) $(OUT)/obj/libmiguard.a $(OUT)/obj/libmiguard-host.a

# A shared library is its versioned file and the two links that a linker and a loader ask for.
define shared_library
$(OUT)/$(1).so.$(VERSION): $(2) src/$(3)/$(1).map
	$$(call say,LD,$$@)
	$$(Q)$$(CC) -shared $$(LINKHARD) -Wl,-soname,$(1).so.$(SOVERSION) -Wl,-z,nodelete \
	    -Wl,--version-script=src/$(3)/$(1).map $(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs) \
	    -o $$@ $(2) $$(LIBS) $(4)
$(OUT)/$(1).so: $(OUT)/$(1).so.$(VERSION)
	@ln -sf $(1).so.$(VERSION) $(OUT)/$(1).so.$(SOVERSION)
	@ln -sf $(1).so.$(SOVERSION) $$@
endef
$(eval $(call shared_library,libmiguard,$(guard_obj),gateway))
$(eval $(call shared_library,libmiguard-host,$(host_obj),host,$$(HOST_LIBS)))

# What its header declares, and of libmiguard's objects only what that needs: a function of the core that
# came to need a policy file or a log would not link, since libyaml and libsodium are not there. Its own
# objects come first, so that the log and the set-up are those of src/core.
core_packages := libcap-ng libseccomp
paren         := (
core_names     = $(filter-out miguard_configure miguard_reload,$(sort $(shell \
    $(CC) $(STD) -E -P -Iinclude include/miguard/core.h | tr -c 'a-z0-9_$(paren)' '\n' | \
    sed -n 's/^\(miguard_[a-z0-9_]*\)$(paren).*/\1/p')))
core_wants     = $(addprefix -u ,$(core_names))
CORE_LIBS      = $(shell $(PKG_CONFIG) --libs $(core_packages)) -pthread -ldl

$(core_so).$(VERSION): $(core_obj) $(OUT)/obj/libmiguard.a src/core/libmiguard-core.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(LINKHARD) -Wl,-soname,libmiguard-core.so.$(SOVERSION) -Wl,-z,nodelete \
	    -Wl,--version-script=src/core/libmiguard-core.map $(if $(SANITIZE),,-Wl$(comma)-z$(comma)defs) \
	    $(addprefix -Wl$(comma)-u$(comma),$(core_names)) \
	    -o $@ $(core_obj) $(OUT)/obj/libmiguard.a $(CORE_LIBS)
$(core_so): $(core_so).$(VERSION)
	@ln -sf libmiguard-core.so.$(VERSION) $(core_so).$(SOVERSION)
	@ln -sf libmiguard-core.so.$(SOVERSION) $@
$(core_a): $(core_obj) $(OUT)/obj/libmiguard.a src/core/libmiguard-core.map
	$(call say,AR,$@)
	$(Q)$(LD) -r --force-group-allocation $(core_wants) -o $(OUT)/obj/libmiguard-core.o $(core_obj) \
	    $(OUT)/obj/libmiguard.a
	$(Q)$(OBJCOPY) --localize-hidden $(OUT)/obj/libmiguard-core.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(OUT)/obj/libmiguard-core.o

# It finds libmiguard when it needs it, beside itself or where the loader looks: programs that inherit it
# with the environment do not load that. No sanitizer takes a library before its own.
$(OUT)/obj/src/preload/preload.o: private ALL_CFLAGS += -DMIGUARD_SOVERSION='"$(SOVERSION)"'
$(OUT)/libmiguard-preload.so: $(OUT)/obj/src/preload/preload.o $(OUT)/obj/libmiguard.a src/preload/preload.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(LINKHARD) -Wl,-soname,libmiguard-preload.so -Wl,-z,nodelete -Wl,-z,defs \
	    -Wl,--version-script=src/preload/preload.map -Wl,-rpath,'$$ORIGIN' -static-libgcc \
	    -o $@ $< $(OUT)/obj/libmiguard.a -pthread -ldl

# The template of a shim is in the command (tools/cli/shim_template.c). It needs the library by its
# SONAME, and nothing else.
$(shim_so): $(OUT)/obj/src/shim/template/shim.o $(guard_so)
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(LINKHARD) -o $@ $< -L$(OUT) -lmiguard
in_command := $(shim_so)
$(OUT)/obj/src/tools/cli/shim_template.o: private ALL_CFLAGS += -DSHIM_TEMPLATE='"$(in_command)"'
$(OUT)/obj/src/tools/cli/shim_template.o: $(in_command)
# So are the saved questions of a fleet.
$(OUT)/obj/src/tools/review/fleet_sql.o: $(wildcard policy/fleet/postgresql/*.sql)

$(cli): $(cli_obj) $(tools_a) $(guard_so) $(host_so)
	$(call say,LD,$@)
	$(Q)$(CC) $(LINKHARD) -o $@ $(cli_obj) $(cli_libs) $(LIBS) \
	    $(shell $(PKG_CONFIG) --libs $(TOOL_PACKAGES)) -Wl,-rpath,'$$ORIGIN'

# The command prints them from its own tables, so that only this machine's can be asked.
$(OUT)/completion/%: $(cli)
	@mkdir -p $(@D)
	$(Q)$(cli) completion $* > $@

# What a program links, and what the static library needs besides.
pc_libs_miguard      := -lmiguard
pc_libs_miguard-host := -lmiguard-host -lmiguard
pc_libs_miguard-core := -lmiguard-core
pc_private           := -lcap-ng -lseccomp -lyaml -lsodium -ldl -pthread
pc_private_host      := -lexpat $(pc_private)
pc_private_core      := -lcap-ng -lseccomp -ldl -pthread

$(OUT)/%.pc: src/pc.in Makefile
	@mkdir -p $(@D)
	$(Q)sed -e 's|@LIBS@|$(pc_libs_$*)|' \
	    -e 's|@PRIVATE@|$(if $(findstring core,$*),$(pc_private_core),$(if $(findstring host,$*),$(pc_private_host),$(pc_private)))|' -e 's|@NAME@|$*|g' -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
	    -e 's|@VERSION@|$(VERSION)|g' $< > $@

# A provider is a plain module: it needs MI.h and nothing of this project.
$(OUT)/providers/%.so: tests/providers/%.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MF $(OUT)/providers/$*.d $(PIC) -shared $(LINKHARD) -o $@ $< -pthread

# The examples link the library as a user's program does; one plug-in for them misbehaves.
examples := $(addprefix $(OUT)/examples/,fileserver fileserver_by_hand plugin.so)
example_identity_fileserver         := identity_miguard.c
example_identity_fileserver_by_hand := identity_by_hand.c
$(OUT)/examples/fileserver $(OUT)/examples/fileserver_by_hand: $(guard_so) \
        $(wildcard tests/examples/fileserver/*)
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LINKHARD) -o $@ \
	    $(addprefix tests/examples/fileserver/,fileserver.c $(example_identity_$(@F))) \
	    -L$(OUT) -lmiguard -pthread -ldl -Wl,-rpath,'$$ORIGIN/..'

$(OUT)/examples/plugin.so: tests/support/plugin/plugin.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(STD) $(WARNINGS) -fPIC -shared -o $@ $<

# A directory that misbehaves on request, for nsswitch.conf(5).
$(nss_module): tests/support/nss/module.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(STD) $(WARNINGS) -fPIC -fvisibility=hidden -shared -o $@ $<

# A provider that misbehaves by its name, and a host with the shared libraries, for shims.
shim_parts := $(addprefix $(OUT)/tests/shim/,provider.so wrapper.so host bare)
$(OUT)/tests/shim/bare: tests/support/shim/bare.c include/MI.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LINKHARD) -o $@ $< -ldl
$(OUT)/tests/shim/%.so: tests/support/shim/%.c include/MI.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -fPIC -shared $(LINKHARD) -o $@ $<
$(OUT)/tests/shim/host: tests/support/shim/host.c $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard \
        tests/support/foreign_*.c)) $(guard_so) $(host_so)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $(LINKHARD) -Itests -o $@ $(filter %.c %.o,$^) -L$(OUT) -lmiguard-host \
	    -lmiguard -pthread -ldl -Wl,-rpath,'$$ORIGIN/../..'

# Modules that share a class tree, by kind; "kept" is one that asks not to be unmapped.
tree_modules := $(addprefix $(OUT)/tests/tree/,$(addsuffix .so,base changed conflict leaf refusing \
    silent nothing moving kept))
$(OUT)/tests/tree/%.so: tests/support/tree/tree.c include/MI.h
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -fPIC -shared $(LINKHARD) -o $@ $< \
	    -DTREE_KIND=$(if $(findstring kept,$*),base -Wl$(comma)-z$(comma)nodelete,$*) \
	    -DTREE_MAIN=MI_$(if $(findstring nothing,$*),Other,Main)
$(OUT)/tests/unit/host_reload_test: | $(tree_modules)

# ---- tests -------------------------------------------------------------------------------------
# A test's own objects stand before the archives, so that a fault test can put its own definition
# of an allocation or kernel table in place of the library's.

$(OUT)/tests/%: $(OUT)/obj/tests/%.o $(support) $(test_a)
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LINKHARD) -rdynamic -o $@ $(filter %.o,$^) $(test_a) $(TEST_LIBS)

# Each record is counted where it is made.
$(OUT)/tests/table/limits_test: private LINKHARD += $(addprefix -Wl$(comma)--wrap=,audit_open audit_write \
    audit_write_id audit_close losses_destroy)
$(OUT)/tests/table/limits_test $(OUT)/tests/table/surroundings_test: | $(cli) $(OUT)/providers/file.so
$(OUT)/tests/table/directory_test: | $(nss_module) $(cli) $(OUT)/providers/file.so
$(OUT)/tests/live/examples_test: | $(examples)
$(OUT)/tests/live/both_hosts_test $(OUT)/tests/fault/library_memory_fault_test: | $(providers)
$(OUT)/tests/live/shim_test: | $(shim_parts) $(cli) $(OUT)/providers/account.so

# The rows of the MI functions, the demonstration and the bench are several files.
$(OUT)/tests/table/host/functions_test: $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard tests/table/host/*_rows.c))
$(demo): $(OUT)/obj/tests/live/demo_gate.o
$(bench): | $(examples) $(cli)
$(bench): $(patsubst %.c,$(OUT)/obj/%.o,$(filter-out $(addprefix tests/bench/,bench.c large.c fleet.c), \
    $(wildcard tests/bench/*.c)))

bench_large := $(OUT)/tests/bench/large
bench_fleet := $(OUT)/tests/bench/fleet
$(bench_large) $(bench_fleet): $(addprefix $(OUT)/obj/tests/bench/,command.o machine.o) | $(cli)

# The frame of the bench, without its rows.
bench_frame := $(patsubst %,$(OUT)/obj/tests/bench/%.o,baseline frame group machine options report statistics)
$(OUT)/tests/unit/bench_frame_test: $(bench_frame)
$(OUT)/obj/tests/bench/machine.o: private ALL_CFLAGS += -DBENCH_FLAGS='"$(strip $(STD) $(UNWIND) $(CFLAGS) $(OPTIMISE) $(HARDEN) $(PIC))"'

$(OUT)/gen/mi_abi_test.c: tests/table/mi_abi.awk $(abi_data)
	@mkdir -p $(@D)
	$(Q)awk -f $< -v lang=c $(abi_data) > $@

$(abi_test): $(OUT)/gen/mi_abi_test.c include/MI.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(STD) -Wall -Wextra -Werror -Iinclude -o $@ $<

tests: $(tests) $(shim_parts) $(nss_module) $(abi_test) $(demo) $(bench) $(examples) $(providers) $(guard_a) $(host_a) $(core_a) $(guard_so) $(host_so) $(core_so) $(cli) $(pc_files)
	@:

test-deps: export NEED_SCHEMA := 1
# What tests use beside the build: another compiler, the manual's formatter, daemons that take records,
# abidiff, other languages. Where one cannot be installed, its tests are skipped and say so.
.PHONY: test-deps
test-deps: deps
	@NEED_CXX=1 NEED_MANDOC=1 NEED_DAEMONS=1 NEED_JQ=1 NEED_ZSTD=1 NEED_CLANG=1 NEED_ANALYSIS=1 NEED_BINDINGS=1 \
	    NEED_SHELLS=1 NEED_DEB=1 NEED_LIBDW=1 NEED_LIBEDIT=1 NEED_POSTGRESQL=1 NEED_MINISIGN=1 NEED_RECIPES=1 NEED_DUCKDB=1 NEED_FLEET=1 sh src/deps.sh || \
	    echo "  some programs that tests use cannot be installed; those tests are skipped"

# Three tests for each two processors at a time (JOBS): a third of the time that programs take is waiting, and half of
# it when loops are short (QUICK). Those that take longest come first, since the last one would run alone; then those
# that compile.
scripts := tests/package/quickstart_test.sh $(addprefix tests/live/,sign_test.sh bundle_test.sh bundle_recipes_test.sh build_test.sh bindings_test.sh older_libc_test.sh layers_test.sh \
    reproducible_test.sh switch_cxx_test.sh mi_names_test.sh words_test.sh man_test.sh policy_man_test.sh audit_man_test.sh \
    audit_init_test.sh completion_test.sh unwind_cxx_test.sh abi_test.sh copies_test.sh unload_test.sh \
    installed_test.sh examples_build_test.sh daemon_man_test.sh sigma_test.sh fleet_opensearch_test.sh audit_alert_test.sh policy_edit_test.sh bench_test.sh core_test.sh \
    module_info_test.sh call_line_test.sh)
JOBS ?= $(shell expr $$(nproc) \* $(if $(QUICK),4,3) / 2)
scripts += tests/live/flat_memory_test.sh tests/live/package_test.sh tests/live/pages_test.sh
folder_of = $(filter $(OUT)/tests/$(1)/%,$(tests))
# By the tables that run.sh prints; those of a stage that differ from check's are behind.
longest := $(addprefix %/,quickstart_test.sh fork_locks_test older_libc_test.sh audit_scan_test audit_verify_test audit_cli_test \
    audit_review_test identity_fault_test audit_file_fault_test host_flow_test policy_load_fault_test fleet_postgresql_test reproducible_test.sh \
    audit_narrow_test binding_test adopt_barrier_test policy_same_test audit_record_test gate_signals_test \
    flat_memory_test.sh layers_test.sh fleet_opensearch_test.sh fleet_stall_test directory_test)
longest_first = $(foreach name,$(longest),$(filter $(name),$(1))) $(filter-out $(longest),$(1))
check: test-deps ## build and run all tests (QUICK=1, as in .ci/run, leaves out nothing, it only shortens the loops)
	@$(MAKE) --no-print-directory $(PARALLEL) everything tests
	@OUT=$(OUT) CC=$(CC) JOBS=$(JOBS) sh tests/run.sh $(call longest_first,$(scripts) \
	    $(foreach folder,live fault table unit,$(call folder_of,$(folder)))) $(abi_test) $(demo)

# What has a switch to go through all of it; check takes some of its steps.
long := table/bounding_test table/cancel_test table/gate_fast_test fault/audit_file_fault_test live/audit_kill_test \
        live/lifetime_test table/host_instance_model_test unit/host_flow_test unit/audit_narrow_test unit/audit_verify_test
check-long: deps ## the tests whose loops check shortens, at full length (some minutes)
	@$(MAKE) --no-print-directory $(PARALLEL) $(long:%=$(OUT)/tests/%) everything
	@OUT=$(OUT) CC=$(CC) JOBS=$(JOBS) FULL=1 sh tests/run.sh $(long:%=$(OUT)/tests/%) tests/live/flat_memory_test.sh

check-asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory check SANITIZE=address,undefined

# What .ci/run runs under the sanitizers. asan: all but what is long even when short, and reads nothing
# from outside that another test does not; what daemons carry is read in the other tests of fleets.
# tsan: those with threads. check-asan and check-tsan have all.
slow := %/audit_model_test %/gate_signals_test %/name_spelling_test %/identity_matrix_test \
        %/lifetime_test %/switch_storm_test %/contexts_test %/denied_test %/directory_test \
        %/audit_full_test %/audit_space_test %/audit_kill_test %/audit_tamper_live_test \
        $(foreach carried,audisp full journal journal_full relay rsyslog stall,%/fleet_$(carried)_test)
threaded := $(foreach test,gateway gate audit audit_memory audit_file audit_rotate audit_sinks audit_repeat audit_scan audit_verify slots \
              switch_scope guarded_server guarded_operation host_server host_flow host_limits host_unload host_reload host_subscribe host_lifecycle host_stream operation_once binding,unit/$(test)_test) \
            $(foreach test,fork_proof wait cancel adopt_barrier left_open,table/$(test)_test) \
            $(foreach test,policy_reload contexts switch_storm binding_storm pool_home foreign_storm,live/$(test)_test)
.PHONY: check-asan-quick check-tsan-quick run-quick
check-asan-quick: deps ## what .ci/run runs under AddressSanitizer and UBSan, with short loops
	@$(MAKE) --no-print-directory run-quick SANITIZE=address,undefined QUICK=1
check-tsan-quick: deps ## what .ci/run runs under ThreadSanitizer, with short loops
	@$(MAKE) --no-print-directory run-quick SANITIZE=thread QUICK=1
quick_tests = $(if $(filter thread,$(SANITIZE)),$(addprefix $(OUT)/tests/,$(threaded)),$(filter-out $(slow),$(tests)))
# A sanitizer is slow, so that what must be done in time has more of it. ThreadSanitizer sleeps a second
# at the end of each process by default, and each test of a Check program is one.
run-quick: export CK_TIMEOUT_MULTIPLIER ?= 10
run-quick: export TSAN_OPTIONS := atexit_sleep_ms=20 $(TSAN_OPTIONS)
# Check moves all of a buffer of this size up behind each assertion, which a sanitizer does byte by byte: with its
# 8 KiB that is a third of a program with many. A failure whose text is longer is an error, and `make check` shows it.
run-quick: export CK_MAX_MSG_SIZE ?= 2048
# run.sh says what these are.
run-quick: export ONE_PROCESS := $(if $(filter thread,$(SANITIZE)),,1)
run-quick: export CK_EXCLUDE_TAGS := $(if $(filter thread,$(SANITIZE)),values)
run-quick:
	@$(MAKE) --no-print-directory $(PARALLEL) everything $(nss_module) $(quick_tests)
	@OUT=$(OUT) CC=$(CC) QUICK=$(QUICK) JOBS=$(JOBS) sh tests/run.sh $(call longest_first,$(quick_tests))

check-tsan: ## the tests with threads under ThreadSanitizer
	@$(MAKE) --no-print-directory check SANITIZE=thread

check-valgrind check-lifetime: export NEED_VALGRIND := 1
check-valgrind: deps ## the tests under valgrind
	@$(MAKE) --no-print-directory $(PARALLEL) tests
	@OUT=$(OUT) CC=$(CC) QUICK=1 CK_FORK=no RUNNER="valgrind -q --error-exitcode=99 --child-silent-after-fork=yes \
	    --leak-check=full --errors-for-leak-kinds=definite,possible \
	    --suppressions=tests/data/valgrind.supp" sh tests/run.sh $(tests)

# What takes a quarter of an hour has a target of its own.
lifetime := tests/live/lifetime_test
check-arm64: ## tests for aarch64 of what a machine could do differently: cross built, and run under qemu-user (5 min)
	@sh tests/arm64.sh

check-arm64-all: ## all tests for aarch64 that qemu-user can run (15 min)
	@FULL=1 sh tests/arm64.sh

check-arm64-system: ## gate, switch, drop, fork, sessions for aarch64 as root under a Debian kernel in qemu-system (15 min)
	@sh tests/arm64_system.sh

check-musl: deps ## every source compiles against musl, which has all that it uses
	@sh tests/musl.sh

.PHONY: musl-objects
musl-objects: $(guard_obj) $(host_obj) $(core_obj) $(cli_obj) $(tools_obj) $(OUT)/obj/src/preload/preload.o \
        $(OUT)/obj/src/shim/template/shim.o

check-lifetime: deps ## a million guarded calls: plain, under both sanitizers, under valgrind (15 min)
	@$(MAKE) --no-print-directory build/$(lifetime)
	@$(MAKE) --no-print-directory build/address-undefined/$(lifetime) SANITIZE=address,undefined
	@$(MAKE) --no-print-directory build/thread/$(lifetime) SANITIZE=thread
	FULL=1 build/$(lifetime)
	FULL=1 build/address-undefined/$(lifetime)
	FULL=1 build/thread/$(lifetime)
	FULL=1 valgrind -q --error-exitcode=99 --child-silent-after-fork=yes --leak-check=full \
	    --errors-for-leak-kinds=definite,possible build/$(lifetime)

storm := tests/live/switch_storm_test
binding_storm := tests/live/binding_storm_test
check-storm: deps ## 16 threads, a million verified switches each, and a million uses (15 min)
	@$(MAKE) --no-print-directory build/$(storm) build/$(binding_storm)
	STORM=1000000 build/$(storm)
	STORM=1000000 build/$(binding_storm)

signals := tests/table/gate_signals_test
check-signals: deps ## each signal at each system call of the library, behind the gate (5 min)
	@$(MAKE) --no-print-directory build/$(signals)
	FULL=1 build/$(signals)

denied := tests/table/denied_test
check-denied: deps ## switches, ways back and drops under every filter that denies some of their calls (hours)
	@$(MAKE) --no-print-directory build/$(denied)
	FULL=1 build/$(denied)

foreign := tests/live/foreign_storm_test
check-foreign: deps ## 100,000 requests under the foreign host, 1 in 10 leaves its operation open (1 min)
	@$(MAKE) --no-print-directory build/$(foreign)
	REQUESTS=100000 build/$(foreign)

contexts := tests/live/contexts_test
check-contexts: deps ## 10 million requests, old context pointers used among them (1 min)
	@$(MAKE) --no-print-directory build/$(contexts)
	CONTEXTS=10000000 build/$(contexts)

model := tests/live/audit_model_test
check-audit-model: deps ## 10,000 random lives of a log against a model (some minutes; SEED=N repeats)
	@$(MAKE) --no-print-directory build/$(model) build/miguard
	SEQUENCES=$${SEQUENCES:-10000} build/$(model)

fleet := tests/live/fleet_rsyslog_test
# The writers that are killed write about 40,000 records less: 2,000,000 are left of these.
check-fleet: deps ## 2,000,000 records of 20 hosts by rsyslog into a store and PostgreSQL (HOSTS, RECORDS of each, ROUNDS, PAIRS)
	@NEED_POSTGRESQL=1 NEED_FLEET=1 sh src/deps.sh
	@$(MAKE) --no-print-directory build/$(fleet) build/miguard
	HOSTS=$${HOSTS:-20} RECORDS=$${RECORDS:-105000} PATIENCE=$${PATIENCE:-7200} ROUNDS=$${ROUNDS:-3} \
	    PAIRS=$${PAIRS:-5} OUT=build build/$(fleet)

fleet_journal := tests/live/fleet_journal_test
check-fleet-journal: deps ## 2,000,000 records of 20 hosts by their journals (HOSTS, RECORDS of each, PAIRS; 40 GB below TMPDIR)
	@NEED_FLEET=1 sh src/deps.sh
	@$(MAKE) --no-print-directory build/$(fleet_journal) build/miguard
	HOSTS=$${HOSTS:-20} RECORDS=$${RECORDS:-105000} PATIENCE=$${PATIENCE:-7200} PAIRS=$${PAIRS:-5} OUT=build build/$(fleet_journal)

check-fleet-units: deps ## the units of policy/fleet by the systemd of a new Debian (2 min)
	@NEED_NSPAWN=1 sh src/deps.sh
	@$(MAKE) --no-print-directory $(PARALLEL) everything
	@sh tests/live/fleet_units_test.sh

FUZZ_SECONDS ?= 60
fuzz := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))

# The sources are compiled once for all targets.
fuzz_src := $(filter-out src/gate/%,$(below)) $(tools_src) $(call sources,host/object host/query host/serial)
fuzz_obj := $(fuzz_src:%.c=build/fuzz/obj/%.o)
fuzz_cc   = clang $(STD) $(OLDER) -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all \
            $(WARNINGS) -Iinclude -Isrc
-include $(fuzz_obj:.o=.d)

build/fuzz/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(fuzz_cc) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

build/fuzz/sources.a: $(fuzz_obj)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

build/fuzz/%: tests/fuzz/%.c build/fuzz/sources.a
	$(call say,CC,$<)
	$(Q)$(fuzz_cc) -fsanitize=fuzzer,address,undefined -o $@ $^ \
	    $(shell $(PKG_CONFIG) --libs $(PACKAGES) $(HOST_PACKAGES) $(TOOL_PACKAGES)) -pthread -ldl

check-fuzz: ## feed each reader inputs that are malformed (FUZZ_SECONDS=60, each)
	@NEED_CLANG=1 $(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory $(PARALLEL) $(fuzz)
	@printf '%s\n' $(fuzz) | xargs -P $(shell nproc) -n 1 env FUZZ_SECONDS=$(FUZZ_SECONDS) sh tests/fuzz/run.sh

coverage: ## line and branch coverage of the libraries, as text
	@$(MAKE) --no-print-directory check COVERAGE=1
	@sh tests/coverage.sh build/coverage

demo: deps ## see a provider misuse its session in every way, and be refused
	@$(MAKE) --no-print-directory $(PARALLEL) everything $(demo)
	@OUT=$(OUT) $(demo)

bench: deps ## measure, as ratios in one run, against goals and a baseline (QUICK=1: under a minute; BENCH="--only GLOB")
	@$(MAKE) --no-print-directory $(PARALLEL) everything $(bench)
	@OUT=$(OUT) $(bench) --json=$(OUT)/bench.json $(if $(QUICK),--quick) $(BENCH)

bench-large: deps ## 5,000,000 records by several writers (RECORDS=N; 7 GB below TMPDIR), and what readers take for them
	@$(MAKE) --no-print-directory $(PARALLEL) everything $(bench_large)
	@OUT=$(OUT) $(bench_large)

bench-fleet: deps ## 1,000,000 records of 20 hosts (RECORDS=N, HOSTS; 5 kB each below TMPDIR): sizes, and questions to PostgreSQL, DuckDB and files (BENCH=--json)
	@NEED_POSTGRESQL=1 NEED_DUCKDB=1 sh src/deps.sh
	@$(MAKE) --no-print-directory $(PARALLEL) everything $(bench_fleet)
	@OUT=$(OUT) $(bench_fleet) $(BENCH)

# ---- installing --------------------------------------------------------------------------------

copied_files := $(shell find policy/fleet policy/apparmor policy/selinux -type f)
man_pages := $(wildcard man/*.[1-8])
installed_examples := $(shell cd tests/examples && find . -type f ! -name '*.pyc' | sort)

install: ## install below $(DESTDIR)$(PREFIX)
	@rm -f $(pc_files) # they name the PREFIX, which may be another than that of the build
	@$(MAKE) --no-print-directory $(PARALLEL) everything
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include/miguard \
	    $(DESTDIR)$(LIBDIR)/pkgconfig
	$(CC) $(LINKHARD) -o $(OUT)/miguard.install $(cli_obj) $(cli_libs) $(LIBS) \
	    $(shell $(PKG_CONFIG) --libs $(TOOL_PACKAGES))
	install -m 755 $(OUT)/miguard.install $(DESTDIR)$(PREFIX)/bin/miguard
	install -m 644 include/MI.h include/miguard.h $(DESTDIR)$(PREFIX)/include
	install -m 644 include/miguard/*.h include/miguard/*.hpp $(DESTDIR)$(PREFIX)/include/miguard
	for library in libmiguard libmiguard-host libmiguard-core; do \
	    install -m 755 $(OUT)/$$library.so.$(VERSION) $(DESTDIR)$(LIBDIR) && \
	    ln -sf $$library.so.$(VERSION) $(DESTDIR)$(LIBDIR)/$$library.so.$(SOVERSION) && \
	    ln -sf $$library.so.$(SOVERSION) $(DESTDIR)$(LIBDIR)/$$library.so && \
	    install -m 644 $(OUT)/$$library.a $(DESTDIR)$(LIBDIR) || exit 1; done
	$(if $(preload_so),install -m 755 $(preload_so) $(DESTDIR)$(LIBDIR))
	install -m 644 $(pc_files) $(DESTDIR)$(LIBDIR)/pkgconfig
	install -d $(DESTDIR)$(PREFIX)/share/miguard/policy
	install -d $(DESTDIR)$(SYSTEMDDIR)/systemd/system
	for unit in $(notdir $(wildcard policy/systemd/*)); do \
	    sed 's|@PREFIX@|$(PREFIX)|' policy/systemd/$$unit >$(DESTDIR)$(SYSTEMDDIR)/systemd/system/$$unit && \
	    chmod 644 $(DESTDIR)$(SYSTEMDDIR)/systemd/system/$$unit || exit 1; done
	install -d $(DESTDIR)$(PREFIX)/share/miguard/sigma
	install -m 644 $(wildcard policy/sigma/*.yml) $(DESTDIR)$(PREFIX)/share/miguard/sigma
	for file in $(copied_files); do \
	    mode=644; [ ! -x $$file ] || mode=755; \
	    install -D -m $$mode $$file $(DESTDIR)$(PREFIX)/share/miguard/$${file#policy/} || exit 1; done
	for policy in $(notdir $(wildcard policy/*.yaml)); do \
	    sed 's|/usr/share/miguard|$(PREFIX)/share/miguard|' policy/$$policy \
	        > $(DESTDIR)$(PREFIX)/share/miguard/policy/$$policy && \
	    chmod 644 $(DESTDIR)$(PREFIX)/share/miguard/policy/$$policy || exit 1; done
	CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' LIBDIR='$(LIBDIR)' \
	    SYSTEMDDIR='$(SYSTEMDDIR)' sh src/package/install.sh $(VERSION) $(SOVERSION)
	$(if $(CROSS),: no completion: it is printed by the command$(comma) which does not run here,\
	    install -D -m 644 $(OUT)/completion/bash $(DESTDIR)$(BASHDIR)/miguard && \
	    install -D -m 644 $(OUT)/completion/zsh $(DESTDIR)$(ZSHDIR)/_miguard && \
	    install -D -m 644 $(OUT)/completion/fish $(DESTDIR)$(FISHDIR)/miguard.fish)
	for example in $(installed_examples); do \
	    install -D -m 644 tests/examples/$$example \
	        $(DESTDIR)$(PREFIX)/share/doc/miguard/examples/$$example || exit 1; done
	for page in $(man_pages); do \
	    install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#man/} \
	    || exit 1; done
	sh src/package/aliases.sh | while read -r alias page; do \
	    echo ".so man$${page##*.}/$$page" > $(DESTDIR)$(PREFIX)/share/man/man$${alias##*.}/$$alias && \
	    chmod 644 $(DESTDIR)$(PREFIX)/share/man/man$${alias##*.}/$$alias || exit 1; done

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/miguard $(DESTDIR)$(PREFIX)/include/MI.h \
	    $(DESTDIR)$(PREFIX)/include/miguard.h $(DESTDIR)$(LIBDIR)/libmiguard.* \
	    $(DESTDIR)$(LIBDIR)/libmiguard-host.* $(DESTDIR)$(LIBDIR)/libmiguard-core.* \
	    $(DESTDIR)$(LIBDIR)/libmiguard-preload.so \
	    $(DESTDIR)$(BASHDIR)/miguard $(DESTDIR)$(ZSHDIR)/_miguard $(DESTDIR)$(FISHDIR)/miguard.fish \
	    $(addprefix $(DESTDIR)$(LIBDIR)/pkgconfig/,$(notdir $(pc_files)))
	rm -f $(addprefix $(DESTDIR)$(SYSTEMDDIR)/systemd/system/,$(notdir $(wildcard policy/systemd/*)))
	rm -rf $(DESTDIR)$(PREFIX)/include/miguard $(DESTDIR)$(PREFIX)/share/miguard \
	    $(DESTDIR)$(PREFIX)/share/doc/miguard/examples $(DESTDIR)$(LIBDIR)/cmake/miguard
	rm -f $(DESTDIR)$(PREFIX)/share/doc/miguard/miguard.spdx.json \
	    $(DESTDIR)$(PREFIX)/share/doc/miguard/architecture.svg \
	    $(addprefix $(DESTDIR)$(SYSTEMDDIR)/,sysusers.d/miguard.conf tmpfiles.d/miguard.conf \
	        systemd/system/miguard-verify.service systemd/system/miguard-verify.timer)
	rmdir $(DESTDIR)$(PREFIX)/share/doc/miguard 2>/dev/null || :
	for page in $(man_pages); do \
	    rm -f $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page#man/}; done
	sh src/package/aliases.sh | while read -r alias page; do \
	    rm -f $(DESTDIR)$(PREFIX)/share/man/man$${alias##*.}/$$alias; done

# ---- packages ----------------------------------------------------------------------------------

.PHONY: deb rpm check-deb check-rpm
deb: deps ## Debian packages, in build/deb
	@NEED_DEB=1 NEED_LIBDW=1 NEED_LIBEDIT=1 NEED_ZSTD=1 sh src/deps.sh
	@sh src/package/deb.sh

check-deb: deps ## builds them twice, runs lintian, installs and removes them in a new Debian (5 min)
	@NEED_DEB=1 NEED_LIBDW=1 NEED_LIBEDIT=1 NEED_ZSTD=1 sh src/deps.sh
	@sh tests/package/deb_test.sh

rpm: deps ## RPM packages, in build/rpm
	@NEED_RPM=1 NEED_LIBDW=1 NEED_LIBEDIT=1 NEED_ZSTD=1 sh src/deps.sh
	@sh src/package/rpm.sh

check-rpm: deps ## builds them twice, installs, verifies and removes them below a folder (5 min)
	@NEED_RPM=1 NEED_LIBDW=1 NEED_LIBEDIT=1 NEED_ZSTD=1 sh src/deps.sh
	@sh tests/package/rpm_test.sh

# ---- the rest ----------------------------------------------------------------------------------

deps: ## install what is missing, with apt or dnf
	@CROSS=$(CROSS) SYSROOT=$(filter-out build/sysroot/%,$(SYSROOT)) sh src/deps.sh

formatted := $(shell find include src tests -name '*.[ch]' -o -name '*.[ch]pp' 2>/dev/null)

format: ## put the sources into the house format
	clang-format -i $(formatted)

check-format: ## fail when a source is not in the house format
	@NEED_ANALYSIS=1 $(MAKE) --no-print-directory deps
	@clang-format --dry-run -Werror $(formatted)

check-spelling: ## codespell over all that people read
	@NEED_ANALYSIS=1 $(MAKE) --no-print-directory deps
	@codespell

# The agreed list of checks is in .clang-tidy; one process for each processor.
library_src := $(guard_src) $(host_src) $(core_src) $(tools_src) $(cli_src)
check-tidy: ## clang-tidy over the sources
	@NEED_ANALYSIS=1 $(MAKE) --no-print-directory deps
	@printf '%s\n' $(sort $(library_src)) | xargs -n 8 -P $(shell nproc) sh -c \
	    'clang-tidy --quiet "$$@" -- $(STD) $(OLDER) -Iinclude -Isrc 2>/dev/null' tidy

check-cppcheck: ## cppcheck over the sources
	@NEED_ANALYSIS=1 $(MAKE) --no-print-directory deps
	@cppcheck --enable=warning,performance,portability -q --inline-suppr --error-exitcode=1 \
	    --suppressions-list=.ci/cppcheck.txt -j $(shell nproc) -D_GNU_SOURCE -D__x86_64__ -Iinclude -Isrc src

ci-%: ## one stage of .ci/run, as ci-tidy; .ci/run without one lists and runs all
	@.ci/run $*

clean: ## remove what was built
	rm -rf build

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-19s %s\n", $$1, $$2}' Makefile
	@echo "  variables: CC=gcc|clang SANITIZE=address,undefined|thread COVERAGE=1 PREFIX DESTDIR LIBDIR"
	@echo "  for another machine: CROSS=aarch64-linux-gnu- SYSROOT=folder with its libraries"

-include $(shell find $(OUT)/obj $(OUT)/providers -name '*.d' 2>/dev/null)
