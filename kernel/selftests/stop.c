// SPDX-License-Identifier: GPL-2.0
/* A running instance is stopped and launched again in the same slot; afterwards the old kernel is whole. */
#include "twintest.h"

static void stops_twice(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	uint32_t instance;

	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers");
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	for (int round = 0; round < 2; round++) {
		load_image(&claimed, name);
		instance = launch_image(&claimed, 1);
		wait_state(instance, TWINKERNEL_READY);
		stop(instance);
	}
	whole_again(&claimed, memory);
}

static void waits(const char *name)
{
	(void)name;
	stay_ready();
}
SCENARIO(stop, stops_twice, waits);
