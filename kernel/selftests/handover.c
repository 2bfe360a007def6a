// SPDX-License-Identifier: GPL-2.0
/* An upgrade that succeeds, and the three ways in which the parked kernel goes on instead. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "twintest.h"

static uint32_t launch_and_talk(struct claimed *claimed, const char *name)
{
	uint32_t instance;

	check(network_up("10.0.2.15", 5000) && ping("10.0.2.2", 5000), "the network answers");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(claimed, 4);
	load_image(claimed, name);
	instance = launch_image(claimed, 1);
	check(!set_cpu(1, true), "the instance's CPU refuses to go online here");
	wait_state(instance, TWINKERNEL_READY, 30000);
	talk(instance);
	return instance;
}

static void ends(const char *name)
{
	struct claimed claimed;

	park(launch_and_talk(&claimed, name), 30000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void takes_all(const char *name)
{
	(void)name;
	get_ready();
	answer();
	take_card();
	commit();
	take_memory();
	use_memory();
}
SCENARIO(handover, ends, takes_all);

static void goes_on(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	uint32_t instance = launch_and_talk(&claimed, name);

	park(instance, patience(), !strcmp(name, "silent") ? TWINKERNEL_PARK_SILENT :
	     !strcmp(name, "panic") ? TWINKERNEL_PARK_PANICKED : TWINKERNEL_PARK_RETURNED);
	whole_again(&claimed, memory);
}

static void panics(const char *name)
{
	(void)name;
	get_ready();
	answer();
	take_card();
	write_file("/proc/sysrq-trigger", "c");
}
SCENARIO(panic, goes_on, panics);

static void hangs(const char *name)
{
	(void)name;
	get_ready();
	answer();
	take_card();
	system("insmod /m/hang.ko");
	check(false, "this kernel was to hang");
}
SCENARIO(silent, goes_on, hangs);

static void gives_back(const char *name)
{
	struct twinkernel_return back = { .size = sizeof(back) };

	(void)name;
	get_ready();
	answer();
	take_card();
	ioctl(device, TWINKERNEL_IOC_RETURN, &back);
	check(false, "the old kernel has not taken over (%m)");
}
SCENARIO(return, goes_on, gives_back);
