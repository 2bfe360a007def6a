// SPDX-License-Identifier: GPL-2.0
/* Two instances at once beside the running kernel: each can be stopped alone, and a panic of one is nobody else's. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "twintest.h"

static bool beats(uint32_t instance)
{
	uint64_t start = now_us(), beat = instance_of(instance).beat;

	while (instance_of(instance).beat < beat + 5 && now_us() - start < DEADLINE_US)
		sleep_ms(10);
	return instance_of(instance).beat >= beat + 5;
}

static void runs_two(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed[2];
	uint32_t instance[2];

	other_console_taken = true;
	for (int i = 0; i < 2; i++) {
		must(set_cpu(i + 1, false), "CPU %d offline", i + 1);
		claim_memory(&claimed[i], 3);
		load_image(&claimed[i], name);
		instance[i] = launch_image(&claimed[i], i + 1);
	}
	check(claimed[0].slot.low_start != claimed[1].slot.low_start, "each has a window of its own");
	for (int i = 0; i < 2; i++)
		wait_state(instance[i], TWINKERNEL_READY);
	stop(instance[0]);
	check(beats(instance[1]), "the second lives on after the first was stopped");
	load_image(&claimed[0], name);
	instance[0] = launch_image(&claimed[0], 1);
	wait_state(instance[0], TWINKERNEL_READY);
	send_text(instance[1], "panic");
	wait_state(instance[1], TWINKERNEL_PANICKED);
	check(beats(instance[0]), "the first lives on after the second panicked");
	check(network_up("10.0.2.15") && ping("10.0.2.2"), "this kernel serves");
	stop(instance[1]);
	check(beats(instance[0]), "and after the second was stopped");
	stop(instance[0]);
	check(set_cpu(2, true), "CPU 2 is back");
	give_memory_back(&claimed[1]);
	whole_again(&claimed[0], memory);
}

static void waits_or_panics(const char *name)
{
	struct twinkernel_ready ready = { .size = sizeof(ready) };
	char text[16] = "";
	struct twinkernel_message in = {
		.size = sizeof(in), .bytes = sizeof(text), .timeout_ms = 60000, .data = (uintptr_t)text,
	};

	(void)name;
	must(!ioctl(device, TWINKERNEL_IOC_READY, &ready), "ready (%m)");
	while (ioctl(device, TWINKERNEL_IOC_RECEIVE, &in))
		in.bytes = sizeof(text);
	if (!strcmp(text, "panic"))
		write_file("/proc/sysrq-trigger", "c");
	check(false, "only one word is known here: %s", text);
}
SCENARIO(several, runs_two, waits_or_panics);
