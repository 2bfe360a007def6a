// SPDX-License-Identifier: GPL-2.0
/*
 * A machine with two nodes (run.sh: processors 0 and 1 with the lowest 512 MiB of memory, 2 and 3 with the rest). Slot
 * and processor come from the second; the launched kernel, and what it becomes, has all in its place.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "twintest.h"

#define NODE 1
#define CPU 3
#define BORDER 0x20000000

static void check_ranges(const char *when)
{
	struct machine machine;
	int right = 0;

	query_machine(&machine);
	for (uint32_t i = 0; i < machine.query.range_count; i++) {
		struct twinkernel_range *range = &machine.ranges[i];
		bool good = range->node ? range->start >= BORDER : range->start + range->size <= BORDER;

		if (!good)
			say("range %#llx+%#llx node %u", range->start, range->size, range->node);
		right += good;
	}
	check(right == (int)machine.query.range_count, "%s: %d of %u ranges are on their node", when, right, machine.query.range_count);
}

/* Processors by their APIC id, which is the same in both kernels: two to a node. */
static void check_cpus(void)
{
	struct machine machine;

	query_machine(&machine);
	for (uint32_t i = 0; i < machine.query.cpu_count; i++)
		check(node_of("cpu/cpu", machine.cpus[i].cpu) == (int)machine.cpus[i].apic_id / 2, "CPU %u (APIC id %u) is on node %d",
		      machine.cpus[i].cpu, machine.cpus[i].apic_id, node_of("cpu/cpu", machine.cpus[i].cpu));
}

static long node_memory_kib(int node)
{
	char path[64], text[4096], *at;

	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/meminfo", node);
	at = read_file(path, text, sizeof(text)) ? strstr(text, "MemTotal:") : NULL;
	return at ? strtol(at + 9, NULL, 10) : 0;
}

static void takes_from_a_node(const char *name)
{
	struct claimed claimed;
	uint32_t instance;

	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers");
	check_cpus();
	check_ranges("before the claim");
	must(node_of("cpu/cpu", CPU) == NODE && set_cpu(CPU, false), "CPU %d of node %d offline", CPU, NODE);
	claim_memory_on(&claimed, 3, NODE);
	check(node_of("memory/memory", claimed.slot.start / (claimed.slot.bytes / 3)) == NODE, "the slot is on node %d", NODE);
	check_ranges("with the slot claimed");
	load_image(&claimed, name);
	instance = launch_image(&claimed, CPU);
	wait_state(instance, TWINKERNEL_READY);
	talk(instance);
	must(set_cpu(1, false) && set_cpu(2, false), "the other CPUs offline");
	park(instance, 30000, 0);
	check(false, "the old kernel goes on after a commit");
}

static void knows_its_nodes(const char *name)
{
	(void)name;
	check_cpus();
	check(node_of("cpu/cpu", 0) == NODE && node_memory_kib(NODE) > 256 * 1024 && node_memory_kib(0) < 1024,
	      "booted on node %d with %ld KiB of it, and %ld KiB of the other", NODE, node_memory_kib(NODE), node_memory_kib(0));
	check_ranges("booted");
	own_all();
	check_cpus();
	check_ranges("owning all");
	check(node_memory_kib(0) > 500 * 1024 && node_memory_kib(1) > 1440 * 1024, "node 0 has %ld KiB, node 1 %ld KiB",
	      node_memory_kib(0), node_memory_kib(1));
}
SCENARIO(numa, takes_from_a_node, knows_its_nodes);
