// SPDX-License-Identifier: GPL-2.0
/*
 * Resources go to the instance and back one by one while the running kernel serves on its first card; then the instance is
 * stopped with all of them in its hands, and the running kernel is whole.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>
#include "twintest.h"

#define SECOND_CARD "0000:01:00.0"
static const struct twinkernel_function second_card = { .bus = 1 };

/* ---- the running kernel ---- */

static struct {
	uint32_t answers, longest_us;
} *service;

/* The service: an answer after the other on the first card, in a process of its own. */
static pid_t serve(void)
{
	pid_t child;

	service = mmap(NULL, sizeof(*service), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(service != MAP_FAILED, "room for what the service counts (%m)");
	child = fork();
	for (uint64_t last = now_us(); !child; sleep_ms(5)) {
		if (!ping("10.0.2.2"))
			continue;
		if (now_us() - last > service->longest_us)
			service->longest_us = now_us() - last;
		last = now_us();
		service->answers++;
	}
	return child;
}

static void still_serves(const char *when)
{
	uint32_t answers = service->answers;
	uint64_t start = now_us();

	while (service->answers < answers + 3 && now_us() - start < DEADLINE_US)
		sleep_ms(5);
	check(service->answers >= answers + 3 && service->longest_us < DEADLINE_US,
	      "the first card serves %s: %u answers, longest time between two %u us", when, service->answers,
	      service->longest_us);
}

/* One command for the instance's side; its answer is the errno it met. */
static int order(uint32_t instance, const char *command)
{
	char answer[16] = "";
	struct twinkernel_message out = {
		.size = sizeof(out), .instance = instance, .bytes = strlen(command), .data = (uintptr_t)command,
	};
	struct twinkernel_message in = {
		.size = sizeof(in), .instance = instance, .bytes = sizeof(answer) - 1, .timeout_ms = 30000,
		.data = (uintptr_t)answer,
	};

	must(!ioctl(device, TWINKERNEL_IOC_SEND, &out) && !ioctl(device, TWINKERNEL_IOC_RECEIVE, &in),
	     "\"%s\" has an answer (%m)", command);
	return atoi(answer);
}

#define TIMED(call, what) do {											\
		uint64_t start = now_us();									\
		bool good = (call);										\
		check(good, "%s in %llu us (%m)", what, (unsigned long long)(now_us() - start));		\
	} while (0)

static int function_request(unsigned long request, uint32_t instance, struct twinkernel_function where)
{
	struct twinkernel_give_function argument = { .size = sizeof(argument), .instance = instance, .function = where };

	return ioctl(device, request, &argument) ? errno : 0;
}

static bool bind_second(const char *action)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/virtio-pci/%s", action);
	return write_file(path, SECOND_CARD);
}

static void second_card_serves(const char *when)
{
	network_card = "eth1";
	check(network_up("10.0.3.15") && ping("10.0.3.2"), "the second card serves here %s", when);
	network_card = "eth0";
}

static void refuse_functions(uint32_t instance)
{
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, second_card) == EBUSY, "a function with a driver");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, 77, second_card) == ENOENT, "a function to nobody");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, (struct twinkernel_function){ 0, 30 << 3 }) == ENODEV,
	      "a function that is not there");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, (struct twinkernel_function){ 0, 4 << 3 }) == EOPNOTSUPP,
	      "a bridge");
	check(function_request(TWINKERNEL_IOC_TAKE_FUNCTION, instance, second_card) == ENOENT, "take what was not given");
	check(order(instance, "adopt") == EAGAIN, "there: adopt what was not given");
	check(order(instance, "release") == ENOENT, "there: release what was not adopted");
}

static void give_function(uint32_t instance)
{
	struct twinkernel_arm arm = {
		.size = sizeof(arm), .instance = instance, .function_count = 1, .functions = { second_card },
	};

	TIMED(bind_second("unbind"), "unbind the second card");
	TIMED(!function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, second_card), "give it");
	check(!bind_second("bind"), "no driver binds to it here");
	check(function_request(TWINKERNEL_IOC_GIVE_FUNCTION, instance, second_card) == EEXIST, "give it twice");
	check(ioctl(device, TWINKERNEL_IOC_ARM, &arm) && errno == EINVAL, "arm with it");
	TIMED(!order(instance, "adopt"), "there: adopted, and serves");
	check(function_request(TWINKERNEL_IOC_TAKE_FUNCTION, instance, second_card) == EBUSY, "take it while it is in use");
}

static void take_function(uint32_t instance)
{
	TIMED(!order(instance, "release"), "there: released");
	TIMED(!function_request(TWINKERNEL_IOC_TAKE_FUNCTION, instance, second_card), "take it back");
	second_card_serves("again");
}

static int cpu_request(unsigned long request, uint32_t instance, uint32_t cpu)
{
	struct twinkernel_give_cpu argument = { .size = sizeof(argument), .instance = instance, .cpu = cpu };

	return ioctl(device, request, &argument) ? errno : 0;
}

/* In this machine a CPU's number here is its APIC id. */
static int order_cpu(uint32_t instance, uint32_t apic_id, const char *what)
{
	char command[32];

	snprintf(command, sizeof(command), "cpu %u %s", apic_id, what);
	return order(instance, command);
}

static void give_cpu(uint32_t instance, uint32_t cpu)
{
	TIMED(set_cpu(cpu, false), "CPU offline");
	TIMED(!cpu_request(TWINKERNEL_IOC_GIVE_CPU, instance, cpu), "give it");
	TIMED(!order_cpu(instance, cpu, "on"), "there: online");
	check(!set_cpu(cpu, true), "it refuses to go online here");
	check(cpu_request(TWINKERNEL_IOC_TAKE_CPU, instance, cpu) == EBUSY, "take it while it is in use");
}

static void take_cpu(uint32_t instance, uint32_t cpu)
{
	TIMED(!order_cpu(instance, cpu, "off"), "there: offline");
	TIMED(!cpu_request(TWINKERNEL_IOC_TAKE_CPU, instance, cpu), "take it back");
	check(order_cpu(instance, cpu, "on") == EBUSY, "there: it refuses to go online");
	TIMED(set_cpu(cpu, true), "CPU online");
}

static int memory_request(unsigned long request, uint32_t instance, uint64_t start, uint64_t bytes)
{
	struct twinkernel_give_memory argument = {
		.size = sizeof(argument), .instance = instance, .start = start, .bytes = bytes,
	};

	return ioctl(device, request, &argument) ? errno : 0;
}

static int order_memory(uint32_t instance, const char *what, uint64_t start, uint64_t bytes)
{
	char command[64];

	snprintf(command, sizeof(command), "memory %s %#llx %#llx", what, (unsigned long long)start,
		 (unsigned long long)bytes);
	return order(instance, command);
}

static uint64_t block_bytes;

/* The first block that goes offline; 0: none. */
static int free_block(void)
{
	int block = 1;

	for (uint64_t start = now_us(); block < 256; block++)
		if (set_block(block, "offline")) {
			say("block %d offline after %llu us", block, (unsigned long long)(now_us() - start));
			return block;
		}
	return 0;
}

static void refuse_memory(uint32_t instance, const struct claimed *claimed)
{
	uint64_t slot = claimed->slot.start;

	check(memory_request(TWINKERNEL_IOC_GIVE_MEMORY, 77, slot, block_bytes) == ENOENT, "memory to nobody");
	check(memory_request(TWINKERNEL_IOC_GIVE_MEMORY, instance, slot, block_bytes) == EEXIST, "memory of a slot");
	check(memory_request(TWINKERNEL_IOC_GIVE_MEMORY, instance, slot + claimed->slot.bytes, block_bytes) == EBUSY,
	      "memory that is online");
	check(memory_request(TWINKERNEL_IOC_GIVE_MEMORY, instance, slot, 4096) == EINVAL, "less than a block");
	check(memory_request(TWINKERNEL_IOC_TAKE_MEMORY, instance, slot, block_bytes) == ENOENT, "take what was not given");
	check(order_memory(instance, "adopt", slot + claimed->slot.bytes, block_bytes) == EAGAIN,
	      "there: adopt what was not given");
	check(order_memory(instance, "release", slot + claimed->slot.bytes, block_bytes) == ENOENT,
	      "there: release what was not given");
}

static void give_block(uint32_t instance, int block)
{
	struct twinkernel_claim_slot claim = { .size = sizeof(claim), .start = block * block_bytes, .bytes = block_bytes };

	TIMED(!memory_request(TWINKERNEL_IOC_GIVE_MEMORY, instance, block * block_bytes, block_bytes), "give the block");
	check(!set_block(block, "online"), "it refuses to go online here");
	check(ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, &claim) && errno == EEXIST, "a slot in it");
	TIMED(!order_memory(instance, "adopt", block * block_bytes, block_bytes), "there: adopted and online");
	check(memory_request(TWINKERNEL_IOC_TAKE_MEMORY, instance, block * block_bytes, block_bytes) == EBUSY,
	      "take it while it is in use");
}

static void take_block(uint32_t instance, int block)
{
	TIMED(!order_memory(instance, "release", block * block_bytes, block_bytes), "there: offline and removed");
	TIMED(!memory_request(TWINKERNEL_IOC_TAKE_MEMORY, instance, block * block_bytes, block_bytes), "take the block back");
	TIMED(set_block(block, "online"), "block online");
}

/* An instance that boots with two CPUs while the first card serves. */
static uint32_t begin(struct claimed *claimed, const char *name, pid_t *child)
{
	uint32_t instance;

	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers");
	second_card_serves("at first");
	must(set_cpu(1, false) && set_cpu(2, false), "CPUs 1 and 2 offline");
	claim_memory(claimed, 4);
	block_bytes = claimed->slot.bytes / 4;
	boots_with = 2;
	load_image(claimed, name);
	instance = launch_image(claimed, 1);
	must(!cpu_request(TWINKERNEL_IOC_GIVE_CPU, instance, 2), "the second CPU that it boots with (%m)");
	check(cpu_request(TWINKERNEL_IOC_TAKE_CPU, instance, 2) == EAGAIN, "nothing is taken while it boots");
	*child = serve();
	wait_state(instance, TWINKERNEL_READY);
	still_serves("while the instance boots");
	check(!order(instance, "cpus 2"), "it has booted with two CPUs");
	return instance;
}

static void end_service(pid_t child)
{
	still_serves("to the end");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void transfers(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	uint32_t instance;
	int blocks[2];
	pid_t child;

	instance = begin(&claimed, name, &child);
	check(cpu_request(TWINKERNEL_IOC_TAKE_CPU, instance, 3) == ENOENT, "take a CPU that was not given");
	check(cpu_request(TWINKERNEL_IOC_TAKE_CPU, 77, 3) == ENOENT, "take a CPU from nobody");
	refuse_functions(instance);
	refuse_memory(instance, &claimed);
	for (int round = 0; round < 2; round++) {
		give_cpu(instance, 3);
		for (int i = 0; i < 2; i++) {
			blocks[i] = free_block();
			must(blocks[i], "a block is offline");
			give_block(instance, blocks[i]);
		}
		give_function(instance);
		still_serves("with all of it away");
		if (round)
			break;
		check(!order(instance, "use"), "there: the memory is used");
		take_function(instance);
		for (int i = 2; i-- > 0;)
			take_block(instance, blocks[i]);
		take_cpu(instance, 3);
		still_serves("with all of it back");
	}
	stop(instance);
	second_card_serves("after the stop");
	for (int i = 0; i < 2; i++)
		check(set_block(blocks[i], "online"), "block %d is back", blocks[i]);
	check(set_cpu(2, true) && set_cpu(3, true), "CPUs 2 and 3 are back");
	end_service(child);
	whole_again(&claimed, memory);
}

static void hands_all_over(const char *name)
{
	struct claimed claimed;
	struct machine machine;
	uint32_t instance;
	int block;
	pid_t child;

	instance = begin(&claimed, name, &child);
	query_machine(&machine);
	for (uint32_t cpu = machine.query.cpu_count - 1; cpu > 2; cpu--)
		give_cpu(instance, cpu);
	block = free_block();
	must(block, "a block is offline");
	give_block(instance, block);
	give_function(instance);
	end_service(child);
	check(!order(instance, "over"), "the rest comes with the park");
	park(instance, 30000, 0);
	check(false, "the old kernel goes on after a commit");
}

/* ---- the launched kernel ---- */

static int adopt_second(void)
{
	struct twinkernel_adopt_function adopt = { .size = sizeof(adopt), .function = second_card };

	if (ioctl(device, TWINKERNEL_IOC_ADOPT_FUNCTION, &adopt))
		return errno;
	return network_up("10.0.3.16") && ping("10.0.3.2") ? 0 : EIO;
}

static int release_second(void)
{
	struct twinkernel_release_function release = { .size = sizeof(release), .function = second_card };

	return ioctl(device, TWINKERNEL_IOC_RELEASE_FUNCTION, &release) ? errno : 0;
}

static int switch_cpu(uint32_t apic_id, bool on)
{
	struct machine machine;

	query_machine(&machine);
	for (uint32_t i = 0; i < machine.query.cpu_count; i++)
		if (machine.cpus[i].apic_id == apic_id)
			return set_cpu(machine.cpus[i].cpu, on) ? 0 : errno;
	return ENODEV;
}

static int adopt_memory(uint64_t start, uint64_t bytes)
{
	struct twinkernel_adopt_memory adopt = { .size = sizeof(adopt), .start = start, .bytes = bytes };
	long before = meminfo_kib("MemTotal:");

	if (ioctl(device, TWINKERNEL_IOC_ADOPT_MEMORY, &adopt))
		return errno;
	if (!set_block(start / bytes, "online_movable"))
		return errno;
	return meminfo_kib("MemTotal:") - before == (long)(bytes / 1024) ? 0 : EIO;
}

static int release_memory(uint64_t start, uint64_t bytes)
{
	struct twinkernel_release_memory release = { .size = sizeof(release), .start = start, .bytes = bytes };

	return ioctl(device, TWINKERNEL_IOC_RELEASE_MEMORY, &release) ? errno : 0;
}

/* Movable memory is handed out first: so much of it reaches every page that was adopted. */
static int fill_memory(void)
{
	size_t words = (256ULL << 20) / sizeof(uint64_t), wrong = 0;
	uint64_t *at = mmap(NULL, words * sizeof(*at), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return errno;
	for (size_t i = 0; i < words; i += 64)
		at[i] = i;
	for (size_t i = 0; i < words; i += 64)
		wrong += at[i] != i;
	munmap(at, words * sizeof(*at));
	return wrong ? EIO : 0;
}

static int obey(const char *command)
{
	unsigned long long start, bytes;
	struct machine machine;
	uint32_t number;
	char word[8];

	if (!strcmp(command, "adopt"))
		return adopt_second();
	if (!strcmp(command, "release"))
		return release_second();
	if (sscanf(command, "cpu %u %7s", &number, word) == 2)
		return switch_cpu(number, !strcmp(word, "on"));
	if (sscanf(command, "memory %7s %llx %llx", word, &start, &bytes) == 3)
		return *word == 'a' ? adopt_memory(start, bytes) : release_memory(start, bytes);
	if (!strcmp(command, "use"))
		return fill_memory();
	if (sscanf(command, "cpus %u", &number) == 1) {
		query_machine(&machine);
		for (uint32_t i = 0; i < machine.query.cpu_count; i++)
			number -= machine.cpus[i].flags & TWINKERNEL_CPU_ONLINE;
		return number ? ERANGE : 0;
	}
	return EINVAL;
}

/* Until it is told "over". */
static void obey_all(void)
{
	bool over = false;
	struct twinkernel_ready ready = { .size = sizeof(ready) };

	write_file("/sys/devices/system/memory/auto_online_blocks", "offline");
	check(!set_cpu(2, true), "the old kernel's CPU refuses to go online here");
	must(!ioctl(device, TWINKERNEL_IOC_READY, &ready), "ready (%m)");
	while (!over) {
		char text[64] = "";
		struct twinkernel_message in = {
			.size = sizeof(in), .bytes = sizeof(text) - 1, .timeout_ms = 60000, .data = (uintptr_t)text,
		};
		struct twinkernel_message out = { .size = sizeof(out), .data = (uintptr_t)text };

		if (ioctl(device, TWINKERNEL_IOC_RECEIVE, &in))
			continue;
		say("told to \"%s\"", text);
		over = !strcmp(text, "over");
		out.bytes = sprintf(text, "%d", over ? 0 : obey(text)) + 1;
		must(!ioctl(device, TWINKERNEL_IOC_SEND, &out), "answer (%m)");
	}
}
static void obeys(const char *name)
{
	(void)name;
	obey_all();
	check(false, "this kernel was to be stopped");
}
SCENARIO(transfer, transfers, obeys);

static void takes_the_rest(const char *name)
{
	(void)name;
	obey_all();
	network_card = "eth1";	/* the second card was here first */
	take_card();
	own_rest();
	check(ping("10.0.3.2"), "the second card serves on");
}
SCENARIO(four, hands_all_over, takes_the_rest);
SCENARIO(eight, hands_all_over, takes_the_rest);
