// SPDX-License-Identifier: GPL-2.0
/* An upgrade that succeeds, the ways in which the parked kernel goes on instead, and a running kernel that panics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "twintest.h"

static uint32_t launch_and_talk(struct claimed *claimed, const char *name)
{
	uint32_t instance;

	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers");
	connect_to_itself();
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(claimed, 4);
	load_image(claimed, name);
	instance = launch_image(claimed, 1);
	check(!set_cpu(1, true), "the instance's CPU refuses to go online here");
	wait_state(instance, TWINKERNEL_READY);
	talk(instance);
	return instance;
}

static void ends(const char *name)
{
	struct claimed claimed;
	uint32_t instance;

	preserve();
	instance = launch_and_talk(&claimed, name);
	preserves_no_more(EBUSY);
	park(instance, 30000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void takes_all(const char *name)
{
	(void)name;
	take_over();
	find_connections(2);
	own_rest();
	use_memory();
	find_preserved(1);
}
SCENARIO(handover, ends, takes_all);

static void goes_on(const char *name)
{
	struct claimed claimed;
	uint32_t instance;
	long memory;

	preserve();
	memory = meminfo_kib("MemTotal:");
	instance = launch_and_talk(&claimed, name);
	park(instance, patience(), !strcmp(name, "silent") ? TWINKERNEL_PARK_SILENT :
	     !strcmp(name, "panic") ? TWINKERNEL_PARK_PANICKED : TWINKERNEL_PARK_RETURNED);
	find_preserved(2);
	whole_again(&claimed, memory);
}

static void panics(const char *name)
{
	(void)name;
	take_over();
	find_preserved(1);
	write_file("/proc/sysrq-trigger", "c");
}
SCENARIO(panic, goes_on, panics);

static void hangs(const char *name)
{
	(void)name;
	take_over();
	find_preserved(1);
	system("insmod /m/hang.ko");
	check(false, "this kernel was to hang");
}
SCENARIO(silent, goes_on, hangs);

static void scribbles(const char *name)
{
	struct machine machine;
	char command[128];

	(void)name;
	take_over();
	query_machine(&machine);
	snprintf(command, sizeof(command), "insmod /m/scribble.ko start=%#llx bytes=%u", machine.query.control,
		 TWINKERNEL_CONTROL_BYTES);
	system(command);
	check(false, "this kernel was to overwrite the control block for ever");
}

static void goes_on_from_noise(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	struct twinkernel_park park = {
		.size = sizeof(park), .instance = launch_and_talk(&claimed, name), .patience_ms = patience(),
		.function_count = 1, .functions = { { .bus = 0, .devfn = 3 << 3 } },
	};

	must(!ioctl(device, TWINKERNEL_IOC_PARK, &park), "park (%m)");
	/* Whatever the noise looks like first: a damaged block, a panic or a return. Never a heart that beats. */
	check(park.end && park.end != TWINKERNEL_PARK_SILENT, "back after %llu ms, end %u", park.parked_ns / 1000000, park.end);
	whole_again(&claimed, memory);
}
SCENARIO(scribble, goes_on_from_noise, scribbles);

static void panics_armed(const char *name)
{
	struct claimed claimed;
	struct twinkernel_arm arm = {
		.size = sizeof(arm), .instance = 77, .function_count = 1, .functions = { { .bus = 0, .devfn = 3 << 3 } },
	};

	check(ioctl(device, TWINKERNEL_IOC_ARM, &arm) && errno == ENOENT, "arm for nobody");
	arm.instance = launch_and_talk(&claimed, name);
	arm.functions[0].devfn = 30 << 3;
	check(ioctl(device, TWINKERNEL_IOC_ARM, &arm) && errno == EINVAL, "arm with a function that is not there");
	arm.functions[0].devfn = 3 << 3;
	must(!ioctl(device, TWINKERNEL_IOC_ARM, &arm), "arm (%m)");
	must(!ioctl(device, TWINKERNEL_IOC_ARM, &arm), "arm anew (%m)");
	write_file("/proc/sys/kernel/panic", "1");
	write_file("/proc/sysrq-trigger", "c");
	check(false, "this kernel was to panic");
}

static void takes_over(const char *name)
{
	(void)name;
	take_over();
	find_connections(0);
	own_rest();
}
SCENARIO(failover, panics_armed, takes_over);

static void gives_back(const char *name)
{
	struct twinkernel_return back = { .size = sizeof(back) };
	struct twinkernel_commit commit = { .size = sizeof(commit) };

	(void)name;
	take_over();
	find_preserved(1);
	must(!system("insmod /m/refuse.ko"), "a commit cannot have the last processor");
	check(ioctl(device, TWINKERNEL_IOC_COMMIT, &commit) && errno == EIO, "the commit fails (%m)");
	ioctl(device, TWINKERNEL_IOC_RETURN, &back);
	check(false, "the old kernel has not taken over (%m)");
}
SCENARIO(return, goes_on, gives_back);
