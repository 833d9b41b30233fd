# The front door. `make` alone says what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo run plan drill test check bench mutate setup clean

TIME_SCALE ?= 60
STACK ?= dev
# The tests that run real containers against real clocks. They run one package after the other, so that none of them judges
# a container by the time that another one took from it.
CONTAINERS := sandbox/codebuild sandbox/container tests/delivery

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup ## deliver this commit through dev, qa and prod on this machine, under load, and write demo.json
	go run ./cmd/sandbox run --once --approve --time-scale $(TIME_SCALE) --summary demo.json

run: setup ## the same, but ask for the approval, go on serving, and deliver every new commit
	go run ./cmd/sandbox run --time-scale $(TIME_SCALE)

plan: ## show what `pulumi up` would create: make plan STACK=prod
	go run ./cmd/sandbox plan --stack $(STACK)

drill: setup ## break one thing after the other under load, judge what becomes of it, and write drills.json
	go run ./cmd/sandbox drill --all --summary drills.json

test: ## run every test: Go with the race detector, the app's, the real Pulumi engine's, deliveries and drills in the sandbox
	scripts/setup test
	npm test --prefix app
	go test -race -timeout 30m $$(go list ./... | grep -v $(CONTAINERS:%=-e '/%$$'))
	go test -race -timeout 30m -p 1 $(CONTAINERS:%=./%)
	go test -timeout 30m ./shiftfn/controller -run Histor # at full length, which the race detector is too slow for
	go -C tests/engine test -timeout 30m ./...
	for example in examples/*/; do go -C $$example test ./...; done
	$(MAKE) drill # alone, since what it judges is how the delivery keeps time

check: ## look for mistakes without running anything
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted"; exit 1; }
	go vet ./...
	go tool staticcheck ./...
	for module in tests/engine examples/*/; do go -C $$module vet ./...; done
	git ls-files app sandbox/console/page | grep -E '\.m?js$$' | xargs -n 1 node --check
	if command -v shellcheck >/dev/null; then shellcheck scripts/setup .ci/run; fi

bench: ## measure the project against its promises, and write bench.json
	scripts/setup bench
	go run ./cmd/bench --summary bench.json

mutate: ## plant bugs into the rules, one by one, and report those that no test catches
	go run ./tests/mutation

setup: ## install what this machine lacks for the demo
	@scripts/setup demo

clean: ## remove what was built or measured here, and what the sandbox keeps to be faster
	rm -rf bin demo.json drills.json bench.json "$${XDG_CACHE_HOME:-$$HOME/.cache}/penguinshop-sandbox"
	for engine in docker podman; do \
	  images=$$($$engine images -q --filter reference='localhost/penguinshop-*/*' --filter reference='localhost/penguinshop-*' 2>/dev/null || true); \
	  [ -z "$$images" ] || $$engine rmi --force $$images >/dev/null; \
	done
