// SPDX-License-Identifier: GPL-2.0
/* A kernel that may send broadcast IPIs (booted without no_ipi_broadcast=1) refuses to launch, and stays whole. */
#include <errno.h>
#include <sys/ioctl.h>
#include "twintest.h"

static void refuses_to_launch(const char *name)
{
	struct twinkernel_launch launch = { .size = sizeof(launch), .cpu = 1 };
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	struct machine machine;

	query_machine(&machine);
	check(machine.query.flags & TWINKERNEL_QUERY_IPI_SHORTHAND, "the query says so");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	launch.slot = claimed.slot.slot;
	launch.entry = claimed.image.entry;
	launch.boot_params = claimed.image.boot_params;
	launch.page_table = claimed.image.page_table;
	launch.control = claimed.image.control;
	check(ioctl(device, TWINKERNEL_IOC_LAUNCH, &launch) && errno == EPERM, "launch (%m)");
	check(!instance_of(1).instance, "there is no instance");
	whole_again(&claimed, memory);
}

static void never(const char *name)
{
	must(false, "no kernel is launched in %s", name);
}
SCENARIO(unprepared, refuses_to_launch, never);
