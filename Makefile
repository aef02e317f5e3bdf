# Everything from a fresh Debian 12 with Swift 6.3: `make run` and `make test` install what they need, once.

CONFIG ?=
BUILD = .build
# The binary that is shipped, run, tested end to end and measured: optimised, with Swift's own libraries inside. That accesses
# exclude each other is proved by the debug builds of the tests; checking it again costs 4 % of a span's instructions.
OPTIMISED = swift build --configuration release --static-swift-stdlib -Xswiftc -enforce-exclusivity=unchecked
RELEASE = $(OPTIMISED) --product millrace
BINARY = $(BUILD)/release/millrace

# One virtual environment a requirements file; MLflow's versions and Phoenix cannot share one. Frameworks that are large
# or quarrel with others have theirs in frameworks/, which only `make test-frameworks` installs.
export MILLRACE_VENVS ?= $(CURDIR)/$(BUILD)/venvs
END_TO_END = Tests/EndToEnd
ENVIRONMENTS = $(patsubst $(END_TO_END)/requirements-%.txt,$(MILLRACE_VENVS)/%/.stamp,\
	$(wildcard $(END_TO_END)/requirements-*.txt))
FRAMEWORKS = $(patsubst $(END_TO_END)/frameworks/%.txt,$(MILLRACE_VENVS)/frameworks-%/.stamp,\
	$(wildcard $(END_TO_END)/frameworks/*.txt))
# Debian's own interpreter where there is one: python3-venv belongs to it.
PYTHON ?= $(or $(wildcard /usr/bin/python3),python3)

PACKAGES = libcurl4-openssl-dev zlib1g-dev libzstd-dev libdeflate-dev libre2-dev libssl-dev python3-venv curl
TEST_PACKAGES = nginx-light libnginx-mod-stream haproxy tinyproxy zstd postgresql-15 faketime nghttp2-client chromium chromium-driver
TEST_PACKAGES += prometheus systemd man-db binutils strace tmux
BENCH_PACKAGES = nginx-light nghttp2-client
MICRO_PACKAGES = valgrind binutils nghttp2-client
SUDO = $(if $(filter-out 0,$(shell id -u)),sudo)
DEMO_ENVIRONMENTS = clients frameworks mlflow-3.17.2
CLUSTER_ENVIRONMENTS = clients mlflow-3.17.2
# Python that runs the binary just built.
AGAINST_BINARY = MILLRACE_BINARY=$(CURDIR)/$(BINARY) $(MILLRACE_VENVS)/clients/bin/python
SOURCES = Package.swift $(shell find Sources Tests -name '*.swift' ! -name '*.pb.swift')

.PHONY: help run demo cluster test test-swift test-end-to-end test-frameworks release environments packages
.PHONY: bench bench-micro conformance reference format lint clean fuzz fuzz-minimise sanitize install deb manifests

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: release ## run the gateway; CONFIG=FILE for another pipeline than the default one
	$(BINARY) run $(if $(CONFIG),--config $(CONFIG))

test: test-swift test-end-to-end ## every suite

test-swift: packages
	@$(call timed,build of the Swift tests,swift build --build-tests)
	@$(call timed,Swift tests,swift test --skip-build)

# The compiler and pip work side by side, then two tests: most of them wait for something.
test-end-to-end:
	@$(MAKE) --no-print-directory -j2 release environments
	@$(call install,$(TEST_PACKAGES))
	@$(call timed,end-to-end tests,$(AGAINST_BINARY) -m pytest $(END_TO_END) -n 2 --dist loadfile $(PYTEST))

test-frameworks: release environments $(FRAMEWORKS) ## two dozen real GenAI frameworks (3 GB to install)
	MILLRACE_FRAMEWORKS=all $(AGAINST_BINARY) -m pytest $(END_TO_END)/test_frameworks.py $(PYTEST)

demo: release $(DEMO_ENVIRONMENTS:%=$(MILLRACE_VENVS)/%/.stamp) ## MLflow with the traces of six frameworks, to look at
	@$(AGAINST_BINARY) $(END_TO_END)/demo.py

cluster: release $(CLUSTER_ENVIRONMENTS:%=$(MILLRACE_VENVS)/%/.stamp) ## three NATS servers, two edges, two gateways and MLflow, with traffic
	@$(AGAINST_BINARY) $(END_TO_END)/cluster.py

# Below PREFIX of DESTDIR; what the Dockerfile's last stage installs is what the package depends on.
PREFIX ?= /usr/local
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)
AT = $(DESTDIR)$(PREFIX)
SHARE = $(AT)/share
DOC = $(SHARE)/doc/millrace
ETC = $(DESTDIR)$(SYSCONFDIR)
ZSH = zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
DEPLOY = pipelines/deploy
PLACED = sed -e 's|/usr/bin/|$(PREFIX)/bin/|' -e 's|/etc/|$(SYSCONFDIR)/|'
DEB = $(BUILD)/deb
DEB_COMPRESSION ?= -Zxz
DEPENDS = ca-certificates libc6 libcurl4 libdeflate0 libgcc-s1 libre2-9 libssl3 libstdc++6 libzstd1 zlib1g
SEPARATOR = ,

install: release ## binary, manual, completions, units, examples and documents below PREFIX (/usr/local)
	@install -d $(addprefix $(SHARE)/,man/man1 bash-completion/completions $(ZSH) fish/vendor_completions.d) \
		$(DOC)/deploy $(AT)/lib/systemd/system $(ETC)/default $(ETC)/millrace
	install -D --strip $(BINARY) $(AT)/bin/millrace
	$(BINARY) --experimental-dump-help | $(PYTHON) $(DEPLOY)/package/man.py \
		$(word 2,$(shell $(BINARY) version)) $(PREFIX) $(SYSCONFDIR) > $(SHARE)/man/man1/millrace.1
	$(BINARY) --generate-completion-script bash > $(SHARE)/bash-completion/completions/millrace
	$(BINARY) --generate-completion-script zsh > $(SHARE)/$(ZSH)/_millrace
	$(BINARY) --generate-completion-script fish > $(SHARE)/fish/vendor_completions.d/millrace.fish
	@for unit in millrace.service millrace.socket millrace-grpc.socket; do \
		$(PLACED) $(DEPLOY)/systemd/$$unit > $(AT)/lib/systemd/system/$$unit; \
	done
	cp -R pipelines/*.json pipelines/REFERENCE.md pipelines/docs $(DOC)
	cp -R $(addprefix $(DEPLOY)/,grafana kubernetes prometheus) $(DOC)/deploy
	@chmod -R u=rwX,go=rX $(DOC)
	@test -e $(ETC)/millrace/pipeline.json || install -m 644 $(DEPLOY)/systemd/pipeline.json $(ETC)/millrace
	@test -e $(ETC)/default/millrace || install -m 600 $(DEPLOY)/systemd/millrace.default $(ETC)/default/millrace

deb: ## build .build/millrace_VERSION_ARCHITECTURE.deb
	@rm -rf $(DEB)
	@$(MAKE) --no-print-directory install DESTDIR=$(abspath $(DEB)) PREFIX=/usr
	@install -d $(DEB)/DEBIAN && install -m 755 $(addprefix $(DEPLOY)/package/,postinst prerm) $(DEB)/DEBIAN
	@install -m 644 $(DEPLOY)/package/conffiles $(DEB)/DEBIAN && gzip -9n $(DEB)/usr/share/man/man1/millrace.1
	@sed -e 's/@VERSION@/$(word 2,$(shell $(BINARY) version))/' -e "s/@ARCHITECTURE@/$$(dpkg --print-architecture)/" \
		-e "s/@SIZE@/$$(du -ks --exclude=DEBIAN $(DEB) | cut -f1)/" \
		-e 's/@DEPENDS@/$(subst $() ,$(SEPARATOR) ,$(DEPENDS))/' $(DEPLOY)/package/control > $(DEB)/DEBIAN/control
	@cd $(DEB) && find usr -type f -exec md5sum {} + > DEBIAN/md5sums
	dpkg-deb --root-owner-group $(DEB_COMPRESSION) --build $(DEB) $(BUILD)

release: packages ## build .build/release/millrace
	@$(call timed,release build,$(RELEASE))

environments: packages $(ENVIRONMENTS) $(MILLRACE_VENVS)/rotel/.stamp ## the virtual environments of the end-to-end tests

$(MILLRACE_VENVS)/frameworks-%/.stamp: $(END_TO_END)/frameworks/%.txt
	$(virtual-environment)

$(MILLRACE_VENVS)/%/.stamp: $(END_TO_END)/requirements-%.txt
	$(virtual-environment)

# The clients' has the server of NATS.
BENCH_ENVIRONMENTS = $(MILLRACE_VENVS)/rotel/.stamp $(MILLRACE_VENVS)/clients/.stamp
# What the benchmarks are made of besides Python: a load, a sink, and a library that valgrind needs.
BENCH_TOOLS = $(BUILD)/bench
BENCH_CC = $(or $(shell command -v cc),clang) -O2 -Wall

bench: release $(BENCH_ENVIRONMENTS) $(BENCH_TOOLS)/load $(BENCH_TOOLS)/sink ## measure against nginx and rotel (17 minutes; BENCH=--quick for 2)
	@$(call install,$(BENCH_PACKAGES))
	$(PYTHON) Tests/Bench/bench.py $(BINARY) $(BENCH_TOOLS) $(BENCH)

bench-micro: release $(MILLRACE_VENVS)/clients/.stamp $(BENCH_TOOLS)/valgrind.so ## count instructions, step by step, against the committed baseline
	@$(call install,$(MICRO_PACKAGES))
	MILLRACE_BENCHMARKS=1 $(OPTIMISED) --product Benchmarks
	$(PYTHON) Tests/Bench/micro.py $(BINARY) $(BUILD)/release/Benchmarks $(BENCH_TOOLS) $(MICRO)

$(BENCH_TOOLS)/%.so: Tests/Bench/%.c
	@mkdir -p $(@D)
	$(BENCH_CC) -shared -fPIC -o $@ $<

$(BENCH_TOOLS)/%: Tests/Bench/%.c | packages
	@mkdir -p $(@D)
	$(BENCH_CC) -o $@ $< -lz

# Where PyPI has no rotel for this machine, the comparison and the tests run without it.
$(MILLRACE_VENVS)/rotel/.stamp: Tests/Bench/requirements-rotel.txt
	$(PYTHON) -m venv --clear $(@D)
	-$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $< && touch $@

packages:
	@$(call install,$(PACKAGES))

# libFuzzer comes with Swift's toolchain; what is found and collected stays below .build.
TARGET ?= wire
SECONDS ?= 1200
FUZZ = MILLRACE_FUZZ=1 swift build --configuration release --scratch-path $(BUILD)/fuzz --product Fuzz
# How a binary of this toolchain is started; empty where it is the machine's own.
FUZZ_RUN ?=
FUZZER = env MILLRACE_FUZZ_TARGET=$(TARGET) SWIFT_BACKTRACE=enable=no nice -n 19 $(FUZZ_RUN) $(BUILD)/fuzz/release/Fuzz
FUZZ_CORPUS = $(BUILD)/fuzz-corpus/$(TARGET)
FUZZ_KEPT = Tests/Fuzz/Corpus/$(TARGET)
FUZZ_LIMITS = -max_len=65536 -timeout=20 -rss_limit_mb=2048 -artifact_prefix=$(BUILD)/fuzz-found/$(TARGET)-

fuzz: packages ## hunt for SECONDS in TARGET: wire, json, http, inflate or nats (INPUT=FILE runs one input)
	$(FUZZ)
	@mkdir -p $(BUILD)/fuzz-found $(FUZZ_CORPUS) $(FUZZ_KEPT)
ifdef INPUT
	$(FUZZER) $(INPUT)
else
	$(PYTHON) Tests/Fuzz/seeds.py $(TARGET) $(BUILD)/fuzz-seeds/$(TARGET)
	$(FUZZER) $(FUZZ_LIMITS) -print_final_stats=1 -max_total_time=$(SECONDS) \
		$(FUZZ_CORPUS) $(BUILD)/fuzz-seeds/$(TARGET) $(FUZZ_KEPT)
endif

fuzz-minimise: ## keep in Tests/Fuzz/Corpus what covers everything that was found, small inputs first
	@rm -rf $(BUILD)/fuzz-merged && mkdir -p $(BUILD)/fuzz-merged $(FUZZ_CORPUS) $(FUZZ_KEPT)
	$(FUZZER) $(FUZZ_LIMITS) -merge=1 $(BUILD)/fuzz-merged $(FUZZ_KEPT) $(FUZZ_CORPUS)
	$(PYTHON) Tests/Fuzz/keep.py $(BUILD)/fuzz-merged $(FUZZ_KEPT)

# A sanitizer of its own build folder each: thread, then address.
SANITIZED = OTLPTests|MLflowTests|JournalTests|PipelineTests

# The toolchain's own: Tests/Sanitize/thread.c is called with Swift's convention.
CLANG ?= clang
SANITIZER_PART = $(CURDIR)/$(BUILD)/sanitize-thread.o
THREADS = --sanitize=thread -Xlinker $(SANITIZER_PART) -Xlinker --wrap=__tsan_external_write

sanitize: packages ## the suites of OTLP, MLflow, Journal and Pipeline under ThreadSanitizer and AddressSanitizer
	@mkdir -p $(BUILD)
	$(CLANG) -c -O1 -fPIC -fsanitize=thread Tests/Sanitize/thread.c -o $(SANITIZER_PART)
	swift test $(THREADS) --scratch-path $(BUILD)/tsan --filter '^($(SANITIZED))\.'
	swift test --sanitize=address --scratch-path $(BUILD)/asan --filter '^($(SANITIZED))\.'

conformance: release $(MILLRACE_VENVS)/clients/.stamp ## write pipelines/docs/conformance.md from the tests that hold its rules
	MILLRACE_RECORD=1 $(AGAINST_BINARY) -m pytest $(END_TO_END)/test_conformance.py

manifests: release $(MILLRACE_VENVS)/clients/.stamp ## write the examples of pipelines/ into the manifests for Kubernetes
	MILLRACE_RECORD=1 $(AGAINST_BINARY) -m pytest $(END_TO_END)/test_kubernetes.py -k endpoint_for_probes

reference: release ## write pipelines/REFERENCE.md
	$(BINARY) reference > pipelines/REFERENCE.md

format: ## rewrite the sources in the house style
	swift format --in-place --parallel $(SOURCES)

lint: ## the house style, as a check
	swift format lint --strict --parallel $(SOURCES)

clean: ## remove what was built; virtual environments stay
	swift package clean

# What is left of an environment that could not be installed has no stamp, and is cleared the next time.
define virtual-environment
$(PYTHON) -m venv --clear $(@D)
$(@D)/bin/pip install --quiet --disable-pip-version-check --requirement $<
touch $@
endef

# $(call timed,NAME,COMMAND): runs the command, and says how long it took.
define timed
echo '$(2)'; start=$$(date +%s); $(2); status=$$?; \
	echo "phase: $(1): $$(($$(date +%s) - start)) s"; exit $$status
endef

# $(call install,PACKAGES): installs what dpkg does not have; where there is no apt, it says what is missing.
define install
missing=$$(for package in $(1); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q ' installed' || echo $$package; \
	done); \
	if [ -n "$$missing" ]; then \
		command -v apt-get >/dev/null || { echo "install these first:" $$missing >&2; exit 1; }; \
		$(SUDO) apt-get update -qq && \
			$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing; \
	fi
endef
