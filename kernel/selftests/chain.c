// SPDX-License-Identifier: GPL-2.0
/*
 * Upgrades one after the other on one machine: each launched kernel owns everything and then launches the next, in
 * memory that it took over. twintest.rounds=N on the first kernel's command line (4 when not said).
 *
 * Each takes stock when all is its own, and must have what the first kernel had that was launched into the same slot.
 * The stock goes from kernel to kernel in a message.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "twintest.h"

/* Free memory and Slab: what the drivers' queues and caches hold at the moment; 0.4 MiB were seen. */
#define TOLERANCE_KIB	2048
/* Of four blocks each, one behind the other, without the machine's first block. */
#define SLOTS		2
#define SLOT_BLOCKS	4

static struct {
	uint32_t taken[SLOTS], compared;
	struct inventory first[SLOTS];	/* of the first kernel in that slot */
} history;

static_assert(sizeof(history) <= TWINKERNEL_MESSAGE_MAX, "goes into one message");

static void hand_history_on(uint32_t instance)
{
	struct twinkernel_message out = {
		.size = sizeof(out), .instance = instance, .bytes = sizeof(history), .data = (uintptr_t)&history,
	};

	must(!ioctl(device, TWINKERNEL_IOC_SEND, &out), "hand the history on (%m)");
}

static void receive_history(void)
{
	struct twinkernel_message in = {
		.size = sizeof(in), .bytes = sizeof(history), .timeout_ms = 30000, .data = (uintptr_t)&history,
	};

	must(!ioctl(device, TWINKERNEL_IOC_RECEIVE, &in) && in.bytes == sizeof(history), "the history (%m)");
}

/* The slot that this kernel runs in; a firmware-booted one counts as being in the last. */
static int own_slot(void)
{
	struct machine machine;
	int block;

	query_machine(&machine);
	block = machine.query.control / machine.query.memory_block_bytes;
	return block ? (block - 1) / SLOT_BLOCKS : SLOTS - 1;
}

static void take_stock(long round)
{
	static struct inventory now;
	int slot = own_slot();

	take_inventory(&now);
	if (!history.taken[slot]++) {
		history.first[slot] = now;
		return;
	}
	check(same_inventory(&history.first[slot], &now, TOLERANCE_KIB),
	      "round %ld has all that the first kernel in this slot had", round);
	history.compared++;
}

static void upgrades(const char *name)
{
	long round = parameter("twintest.round=", 0) + 1, rounds = parameter("twintest.rounds=", 4);
	struct claimed claimed;
	char options[256];
	uint32_t instance;

	if (round == 1)
		preserve();
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory_at(&claimed, 1 + (own_slot() + 1) % SLOTS * SLOT_BLOCKS, SLOT_BLOCKS);
	snprintf(options, sizeof(options), "twintest=%s twintest.round=%ld twintest.rounds=%ld", name, round, rounds);
	hands_on = true;
	load_image_with(&claimed, options);
	instance = launch_image(&claimed, 1);
	hand_history_on(instance);
	wait_state(instance, TWINKERNEL_READY);
	talk(instance);
	say("ROUND %ld of %ld", round, rounds);
	park(instance, 60000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void takes_all_and_goes_on(const char *name)
{
	long round = parameter("twintest.round=", 0), rounds = parameter("twintest.rounds=", 4);

	receive_history();
	own_all();
	find_preserved(round);
	take_stock(round);
	say("STOCK of round %ld: %ld KiB, %ld free, slab %ld", round, meminfo_kib("MemTotal:"), free_kib(),
	    meminfo_kib("Slab:"));
	console_works("TWIN-IOAPIC");
	if (round < rounds)
		upgrades(name);
	check(history.compared == rounds - SLOTS, "%u of %ld kernels compared", history.compared, rounds);
	check(ping("10.0.2.2"), "the network answers in the last kernel");
}
SCENARIO(chain, upgrades, takes_all_and_goes_on);
