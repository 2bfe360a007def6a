// SPDX-License-Identifier: GPL-2.0
/*
 * Upgrades one after the other on one machine: each launched kernel owns everything and then launches the next, in
 * memory that it took over. twintest.rounds=N on the first kernel's command line (3 when not said).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "twintest.h"

static long parameter(const char *name, long otherwise)
{
	char line[4096], *at;

	read_file("/proc/cmdline", line, sizeof(line));
	at = strstr(line, name);
	return at ? strtol(at + strlen(name), NULL, 10) : otherwise;
}

static void upgrades(const char *name)
{
	long round = parameter("twintest.round=", 0) + 1, rounds = parameter("twintest.rounds=", 3);
	long reference = parameter("twintest.memory=", round == 1 ? 0 : meminfo_kib("MemTotal:"));
	struct claimed claimed;
	char options[256];
	uint32_t instance;

	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	snprintf(options, sizeof(options), "twintest=%s twintest.round=%ld twintest.rounds=%ld%s%.0ld", name, round, rounds,
		 reference ? " twintest.memory=" : "", reference);
	hands_on = true;
	load_image_with(&claimed, options);
	instance = launch_image(&claimed, 1);
	wait_state(instance, TWINKERNEL_READY, 120000);
	talk(instance);
	say("ROUND %ld of %ld", round, rounds);
	park(instance, 60000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void takes_all_and_goes_on(const char *name)
{
	long round = parameter("twintest.round=", 0), rounds = parameter("twintest.rounds=", 3), memory;
	long reference = parameter("twintest.memory=", 0);

	own_all();
	memory = meminfo_kib("MemTotal:");
	/* What is left of the boot differs a little with where the slot lies; a block is 128 MiB. */
	check(!reference || labs(memory - reference) < 4096, "round %ld: %ld KiB of memory, the second kernel had %ld", round,
	      memory, reference);
	if (round < rounds)
		upgrades(name);
	check(ping("10.0.2.2", 5000), "the network answers in the last kernel");
}
SCENARIO(chain, upgrades, takes_all_and_goes_on);
