# TwinKernel.Fleet: each target is a script under eng/ or images/ that can be called by itself (--help).
.DEFAULT_GOAL := help
.PHONY: help demo stop test test-kernel test-kernel-matrix test-faults test-services soak bench-handover bench-link bench-fleet images build deps format lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## upgrade one real VM through the whole system; KEEP=1 leaves it running
	@KEEP=$(KEEP) eng/demo

stop: ## end what make demo KEEP=1 has left running
	@eng/demo --stop

test: ## every test, with real VMs and real servers
	@eng/test

test-kernel: ## the module in virtual machines, a part of make test
	@eng/test Kernel

test-kernel-matrix: ## an upgrade for every pair of Debian's kernels from 5.10 to the newest
	@eng/test-kernel-matrix

test-faults: ## at every step of an upgrade, kill and cut everything that a rollout needs
	@eng/test-faults

test-services: ## PostgreSQL on a guest: twice over in a row, and back from each way in which the new kernel can go
	@eng/test-services

soak: ## N upgrades, each of a fresh guest (N=20); OPTIONS=--redis: one guest, to and fro, and no write lost
	@eng/soak $(OPTIONS) $(or $(N),20)

bench-handover: ## twin upgrade, kexec and reboot of the same guest, N each in one run (N=10), with a chart; OPTIONS="--services redis ..."
	@eng/bench-handover --rounds $(or $(N),10) $(OPTIONS)

bench-link: ## the link between two kernels beside loopback and the card, in one run
	@eng/bench-link

bench-fleet: ## rollouts over 100, 1,000 and 10,000 simulated guests, beside bare RabbitMQ and PostgreSQL in the same run
	@eng/bench-fleet

images: ## bootable images of the kernels in images/kernels.json
	@eng/deps base
	@images/build

build: ## the whole solution
	@eng/deps base
	@eng/build all

deps: ## install what is missing from Debian's packages
	@eng/deps

format: ## bring the sources into the form that .editorconfig describes
	@dotnet format TwinKernel.Fleet.sln

lint: ## shellcheck for every script, and that each tells its use; checkpatch for the kernel module
	@eng/lint

clean: ## end what runs, and delete all that was built (downloaded kernels stay)
	@eng/demo --stop
	@rm -rf artifacts bin state/demo state/soak state/images state/tests state/test-results
