# Everything that is done with the source is a target here; make alone lists them.

# The last tag's version, or, before the first, the day and hash of the last commit.
VERSION ?= $(shell git describe --tags --match 'v[0-9]*' 2>/dev/null | sed 's/^v//' | grep . || git log -1 --format=0~%cd.%h --date=format:%Y%m%d 2>/dev/null || echo 0~unknown)
export CGO_ENABLED = 0
GO ?= go
LDFLAGS := -s -w -X main.version=$(VERSION)
PREFIX ?= /usr/local
N ?= 50
# The native agents: links to the daemon, for any OCF host. Package resources/builtin has their table, and a test that holds this list to it.
AGENTS := check diskmonitor filelease loadmonitor mount ping process vip

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the static binaries into bin/
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./agent/pacelined ./ctl/paceline
	$(GO) build -trimpath -o bin/ ./integration/lab/paceline-lab ./integration/lab/fence_lab

.PHONY: test
test: ## vet and test everything; says what was skipped, and why
	$(GO) vet ./...
	$(GO) run ./integration/testrun ./...

.PHONY: race
race: ## test everything with the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) run ./integration/testrun -race ./...

.PHONY: demo
demo: build ## three nodes, a service, a power cut: watch it survive (root, or an unprivileged user namespace)
	@$(GO) build -o bin/ ./integration/demo
	@bin/demo -bin bin

.PHONY: cuts
cuts: build ## cut the power of the active node N times in a row (N=50) and check every recovery
	PACELINE_CUTS=$(N) $(GO) test -count=1 -timeout 120m -v -run '^TestPowerCuts$$' ./integration

.PHONY: splits
splits: build ## cut the link between two nodes N times in a row (N=50): exactly one survives each time
	PACELINE_SPLITS=$(N) PACELINE_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 120m -v -run '^TestSplits$$' ./integration

.PHONY: faults
faults: build ## tell the stories of faults in full: pauses of 1 to 60 s, long cuts, long flapping (some minutes)
	PACELINE_FAULTS=whole PACELINE_BIN=$(CURDIR)/bin $(GO) test -count=1 -timeout 60m -v -run '^(TestFaultyDevices|TestLinkFaults|TestPauses|TestClonedNode|TestTwoNodesFromTheDark|TestWitnessesOfTwoClusters|TestCutOffNodeObeysPolicy|TestWatchdogOnly|TestPoisonPills|TestLyingSwitch)$$' ./integration

.PHONY: chaos
MINUTES ?= 30
SEED ?= 0
chaos: build ## let drawn faults happen to real daemons for MINUTES=30 (SEED=n draws the same again; root); ends with a report in bin/chaos-report
	@$(GO) build -o bin/ ./integration/chaos
	@bin/chaos -bin bin -minutes $(MINUTES) -seed $(SEED)

.PHONY: soak
soak: build ## run five nodes with 200 resources for MINUTES=60 and judge whether memory and file handles stay flat (root); plot in bin/soak-report
	@$(GO) build -o bin/ ./integration/soak
	@bin/soak -bin bin -minutes $(or $(filter-out 30,$(MINUTES)),60)

.PHONY: sim
SEEDS ?= 10000
sim: ## simulate clusters under faults from SEEDS=10000 seeds; a failure names the command that runs its seed again
	$(GO) test -count=1 -timeout 600m -v -run '^TestSeeds$$' ./agent/simulation -seeds $(SEEDS)

.PHONY: sim-nodes
sim-nodes: ## run whole daemons under faults in virtual time, from SEEDS seeds (SEEDS=500 takes some minutes)
	$(GO) test -count=1 -timeout 600m -v -run '^TestWholeNodesUnderFaults$$' ./agent -whole $(SEEDS)

.PHONY: fuzz
SECONDS ?= 60
fuzz: ## run every fuzzer for SECONDS=60, one after the other; what one finds stays in its package's testdata
	@grep -rn --include=*_test.go -o '^func Fuzz[A-Za-z]*' agent ctl fencing resources | sed 's#/[^/]*_test.go:[0-9]*:func # #' | while read -r pkg name; do \
		echo "== $$name in $$pkg"; $(GO) test ./$$pkg -run '^$$' -fuzz "^$$name$$" -fuzztime $(SECONDS)s -fuzzminimizetime 1s -parallel 2 || exit 1; done

.PHONY: model
model: ## explore the takeover of two by every order of events, in large (some minutes, some GiB)
	$(GO) test -count=1 -timeout 120m -v -run 'TestRulesHold|TestEveryBrokenRuleIsFound' ./agent/quorum/model -large

.PHONY: database
database: build ## cut the power of a replicated database's primary N times (make database N=20): no acknowledged write may be lost
	PACELINE_DATABASE=$(N) $(GO) test -count=1 -timeout 120m -v -run '^TestDatabase$$' ./integration

.PHONY: bench
bench: build ## measure failover, recovery, election, moves and idle load in the lab
	@$(GO) build -o bin/ ./integration/bench
	@bin/bench -bin bin

.PHONY: properties
properties: ## run the tests that draw their cases with cases that no run had before, N times (N=50) as many
	$(GO) test -count=1 -timeout 120m $$($(GO) list -f '{{range .TestImports}}{{if eq . "pgregory.net/rapid"}}{{$$.ImportPath}} {{end}}{{end}}' ./...) -rapid.seed=0 -rapid.checks=$$((100 * $(N)))

.PHONY: differential
differential: ## compare plans for N random clusters (N=50) with those of crm_simulate, which must be installed
	PACELINE_DIFFERENTIAL=$(N) $(GO) test -count=1 -timeout 30m -v -run '^TestDifferential$$' ./agent/scheduler

.PHONY: bench-scheduler
bench-scheduler: ## measure planning for clusters of up to 10,000 resources, against crm_simulate where it is installed
	$(GO) build -trimpath -ldflags "$(LDFLAGS)" -o bin/ ./ctl/paceline
	@$(GO) build -o bin/bench-scheduler ./integration/bench/scheduler
	@bin/bench-scheduler -bin bin

.PHONY: lint
lint: ## gofmt, vet, layers and tidiness; staticcheck where it is installed
	@test -z "$$(gofmt -l agent ctl resources fencing integration)" || { gofmt -l agent ctl resources fencing integration; exit 1; }
	$(GO) vet ./...
	$(GO) test -count=1 -run 'TestLayers|TestCores|TestTopLevel|TestPackages|TestFormat' ./integration
	@if command -v staticcheck >/dev/null; then staticcheck ./...; else echo "staticcheck is not installed: skipped"; fi

.PHONY: docs
docs: ## make docs/cli.md of the table of commands, and docs/json.md of the types of their answers
	$(GO) run ./ctl/paceline __reference > docs/cli.md
	$(GO) test -count=1 -run '^TestJSONIsDocumented$$' ./ctl -update-json

.PHONY: install
install: build ## install the binaries, the manual pages, completions and the systemd unit below DESTDIR and PREFIX (/usr/local)
	install -D -m 755 bin/pacelined $(DESTDIR)$(PREFIX)/sbin/pacelined
	install -D -m 755 bin/paceline $(DESTDIR)$(PREFIX)/sbin/paceline
	install -d $(DESTDIR)/usr/lib/ocf/resource.d/paceline
	for agent in $(AGENTS); do ln -sf $(PREFIX)/sbin/pacelined $(DESTDIR)/usr/lib/ocf/resource.d/paceline/$$agent; done
	install -d $(DESTDIR)/etc/systemd/system
	sed 's#/usr/sbin/pacelined#$(PREFIX)/sbin/pacelined#' integration/packaging/pacelined.service > $(DESTDIR)/etc/systemd/system/pacelined.service
	install -D -m 644 integration/packaging/paceline.sysusers $(DESTDIR)/usr/lib/sysusers.d/paceline.conf
	install -D -m 644 integration/packaging/pacelined.8 $(DESTDIR)$(PREFIX)/share/man/man8/pacelined.8
	install -d $(DESTDIR)$(PREFIX)/share/man/man7
	links=$$(mktemp -d) && for agent in $(AGENTS); do ln -s $(CURDIR)/bin/pacelined $$links/$$agent && \
		$$links/$$agent manual > $(DESTDIR)$(PREFIX)/share/man/man7/ocf_paceline_$$agent.7; done; rm -r $$links
	bin/paceline __manual > $(DESTDIR)$(PREFIX)/share/man/man8/paceline.8
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	bin/paceline completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/paceline
	bin/paceline completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_paceline
	bin/paceline completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/paceline.fish
	install -d -m 700 $(DESTDIR)/etc/paceline $(DESTDIR)/var/lib/paceline

.PHONY: deb
deb: build ## build a Debian package into dist/
	integration/packaging/deb.sh $(VERSION)

.PHONY: clean
clean: ## remove what builds made
	rm -rf bin dist
