# What each target does: make help. Every tool but Go, Node and make is installed by `make test`.
GO      ?= go
LINT     = $(GO) tool -modfile=.ci/tools/go.mod golangci-lint
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  = -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help run build setup test test-short race lint fmt check stress fuzz soak faults faults-short bench bench-transport console readme types clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

run: ## run the server with demo data on the embedded database
	$(GO) run ./cmd/realtime

build: ## build the static binary ./realtime
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o realtime ./cmd/realtime

setup: ## install what the tests need and is missing (PostgreSQL, Redis, nginx, Chromium, npm packages)
	.ci/setup

test: setup check ## install what is missing and run every test and check

check: fmt-check vet lint race ## format, vet, linters, race tests: run before each commit

.PHONY: fmt-check vet
fmt-check:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not formatted, run make fmt:"; echo "$$out"; exit 1; }

vet:
	$(GO) vet ./...
	$(GO) vet -tags soak,faults ./internal/e2e

lint: ## the linters of .golangci.yml
	$(LINT) run ./...

race: ## every test under the race detector, in the time zone that bites; browsers and processes have the machine for themselves
	TZ=America/Mexico_City $(GO) test -race -p 4 -timeout 30m $$($(GO) list ./... | grep -v /internal/e2e)
	TZ=America/Mexico_City $(GO) test -race -timeout 30m ./internal/e2e

test-short: ## every test without the race detector
	TZ=America/Mexico_City $(GO) test ./...

stress: ## the protocol, order and loss tests 20 times under the race detector (the bare library's defects are left out)
	TZ=America/Mexico_City $(GO) test -race -count 20 -timeout 60m -skip '^TestBare' ./pkg/engineio ./internal/sio

fuzz: ## every fuzz target for FUZZTIME=10m each, two at a time; `make check` replays what they found
	.ci/fuzz

soak: ## 20 minutes of churn, role changes and database outages under the race detector
	$(GO) test -race -tags soak -run 'TestSoak$$' -timeout 40m -v ./internal/e2e

faults: ## 10,000 emits while the server is killed and PostgreSQL fails in every way; SEED= repeats an order; about 10 minutes
	$(GO) test -race -tags faults -run 'TestFaults$$' -timeout 40m -v ./internal/e2e $(if $(SEED),-seed $(SEED))

faults-short: ## 1,000 emits, and each kind of fault once or twice
	$(GO) test -race -tags faults -run 'TestNothingIsLostOrToldTwiceWhateverFails$$' -timeout 20m -v ./internal/e2e

bench: ## this server beside Node's socket.io and a bare WebSocket server, about 15 minutes on an idle machine; writes README's table
	cd cmd/loadtest && BENCH_README=../../README.md $(GO) test -run '^$$' -bench SideBySide -benchtime 1x -timeout 60m .

bench-transport: ## micro benchmarks of the transport
	$(GO) test -run '^$$' -bench . -benchmem ./pkg/engineio

console: ## build internal/console/ui into internal/console/dist, which is committed
	cd internal/console/ui && node node_modules/typescript/bin/tsc --noEmit -p . && NODE_ENV=production node node_modules/vite/bin/vite.js build

types: ## write what is made of pkg/contract: the TypeScript types, the OpenAPI and AsyncAPI documents
	$(GO) test ./pkg/contract -run TestTypeScript -update
	$(GO) test ./internal/apidocs -run TestDocuments -update

fmt: ## format the sources
	gofmt -w $$(git ls-files '*.go')

readme: ## write the configuration table of README.md from internal/config
	$(GO) test ./internal/config -run TestREADMETable -update

clean: ## remove what building and running made
	rm -rf realtime realtime-demo.db* artifacts deploy/sample/.next
