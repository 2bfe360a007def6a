// SPDX-License-Identifier: GPL-2.0
/* What the running kernel's agent does in the product: reserve, load, launch, park, take back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "twintest.h"

#define CARD "0000:00:03.0"

bool set_block(int block, const char *state)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", block);
	return write_file(path, state);
}

bool set_cpu(int cpu, bool online)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return write_file(path, online ? "1" : "0");
}

static void claim_blocks(struct claimed *claimed, int first, int count)
{
	struct machine machine;
	int err;

	query_machine(&machine);
	memset(claimed, 0, sizeof(*claimed));
	claimed->slot.size = sizeof(claimed->slot);
	claimed->slot.start = first * machine.query.memory_block_bytes;
	claimed->slot.bytes = count * machine.query.memory_block_bytes;
	err = ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, &claimed->slot);
	must(!err, "claim %#llx+%#llx, window %#llx (%m)",
	     claimed->slot.start, claimed->slot.bytes, claimed->slot.low_start);
}

/** The blocks from @first on, and no others. What is movable moves, but not always at once. */
void claim_memory_at(struct claimed *claimed, int first, int count)
{
	for (int block = first; block < first + count; block++) {
		int tries = 0;

		while (!set_block(block, "offline") && ++tries < 100)
			sleep_ms(100);
		must(tries < 100, "block %d offline, tried %d times", block, tries + 1);
	}
	claim_blocks(claimed, first, count);
}

void claim_memory(struct claimed *claimed, int blocks)
{
	claim_memory_on(claimed, blocks, -1);
}

void claim_memory_on(struct claimed *claimed, int blocks, int node)
{
	struct machine machine;
	uint64_t start = now_us();
	int run = 0, block;

	query_machine(&machine);
	for (block = 1; block < 256 && run < blocks; block++) {
		if ((node < 0 || node_of("memory/memory", block) == node) && set_block(block, "offline")) {
			run++;
			continue;
		}
		for (; run; run--)
			set_block(block - run, "online");
	}
	must(run == blocks, "%d contiguous memory blocks offline in %llu ms", blocks,
	     (unsigned long long)(now_us() - start) / 1000);
	claim_blocks(claimed, block - run, run);
}

void load_image(struct claimed *claimed, const char *scenario)
{
	char options[128];

	snprintf(options, sizeof(options), "twintest=%s", scenario);
	load_image_with(claimed, options);
}

void load_image_with(struct claimed *claimed, const char *options)
{
	struct machine machine;

	query_machine(&machine);
	load(&claimed->slot, &machine, "/next/vmlinuz", "/next/initrd", options, &claimed->image);
}

/** The instance's id, 0 when it was refused. */
uint32_t try_launch(const struct claimed *claimed, int cpu)
{
	struct twinkernel_launch launch = {
		.size = sizeof(launch), .slot = claimed->slot.slot, .cpu = cpu, .entry = claimed->image.entry,
		.boot_params = claimed->image.boot_params, .page_table = claimed->image.page_table,
		.control = claimed->image.control, .image_id = IMAGE_ID,
		.link = claimed->image.link, .link_bytes = claimed->image.link_bytes,
	};

	return ioctl(device, TWINKERNEL_IOC_LAUNCH, &launch) ? 0 : launch.instance;
}

uint32_t launch_image(const struct claimed *claimed, int cpu)
{
	uint32_t instance = try_launch(claimed, cpu);

	must(instance, "launch on CPU %d (%m)", cpu);
	return instance;
}

struct twinkernel_instance instance_of(uint32_t id)
{
	struct twinkernel_instance found[8] = {};
	struct twinkernel_instances list = { .size = sizeof(list), .capacity = 8, .instances = (uintptr_t)found };

	ioctl(device, TWINKERNEL_IOC_INSTANCES, &list);
	for (uint32_t i = 0; i < list.count && i < 8; i++)
		if (found[i].instance == id)
			return found[i];
	return (struct twinkernel_instance){};
}

void wait_state(uint32_t id, uint32_t state)
{
	uint64_t start = now_us();
	struct twinkernel_instance seen;

	do {
		sleep_ms(10);
		seen = instance_of(id);
	} while (seen.state < state && now_us() - start < 4 * DEADLINE_US);
	must(seen.state == state, "instance %u (%.64s): state %u after %llu ms, beat %llu, age %llu us", id,
	     seen.release, seen.state, (unsigned long long)(now_us() - start) / 1000, seen.beat, seen.beat_age_ns / 1000);
}

static void set_card(const char *action)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/drivers/virtio-pci/%s", action);
	check(write_file(path, CARD), "%s the card", action);
}

void stop(uint32_t instance)
{
	struct twinkernel_stop stop = { .size = sizeof(stop), .instance = instance };

	check(!ioctl(device, TWINKERNEL_IOC_STOP, &stop), "stop instance %u", instance);
	check(ioctl(device, TWINKERNEL_IOC_STOP, &stop) && errno == ENOENT, "a second stop finds nothing");
}

void give_memory_back(struct claimed *claimed)
{
	struct twinkernel_release_slot release = { .size = sizeof(release), .slot = claimed->slot.slot };
	struct machine machine;
	int first, count;

	query_machine(&machine);
	first = claimed->slot.start / machine.query.memory_block_bytes;
	count = claimed->slot.bytes / machine.query.memory_block_bytes;
	check(!set_block(first, "online"), "a claimed block refuses to go online");
	check(!ioctl(device, TWINKERNEL_IOC_RELEASE_SLOT, &release), "release the slot (%m)");
	for (int i = 0; i < count; i++)
		check(set_block(first + i, "online"), "block %d is online again", first + i);
}

void park(uint32_t instance, uint32_t patience_ms, uint32_t expected_end)
{
	struct twinkernel_park park = {
		.size = sizeof(park), .instance = instance, .patience_ms = patience_ms, .function_count = 1,
		.functions = { { .bus = 0, .devfn = 3 << 3 } },
	};

	must(!ioctl(device, TWINKERNEL_IOC_PARK, &park), "park (%m)");
	check(park.end == expected_end, "back after %llu ms, end %u", park.parked_ns / 1000000, park.end);
}

void send_text(uint32_t instance, const char *text)
{
	struct twinkernel_message out = {
		.size = sizeof(out), .instance = instance, .bytes = strlen(text), .data = (uintptr_t)text,
	};

	check(!ioctl(device, TWINKERNEL_IOC_SEND, &out), "send \"%s\" to instance %u (%m)", text, instance);
}

void talk(uint32_t instance)
{
	char answer[64] = "";
	struct twinkernel_message out = {
		.size = sizeof(out), .instance = instance, .bytes = 5, .data = (uintptr_t)"hello",
	};
	struct twinkernel_message in = {
		.size = sizeof(in), .instance = instance, .bytes = sizeof(answer), .timeout_ms = DEADLINE_US / 1000,
		.data = (uintptr_t)answer,
	};

	check(!ioctl(device, TWINKERNEL_IOC_SEND, &out), "send to the instance (%m)");
	check(!ioctl(device, TWINKERNEL_IOC_RECEIVE, &in) && in.bytes == 5 && !memcmp(answer, "HELLO", 5),
	      "its answer: %.*s (%m)", (int)in.bytes, answer);
}

void whole_again(struct claimed *claimed, long memory)
{
	check(set_cpu(1, true), "CPU 1 is back");
	set_card("unbind");
	set_card("bind");
	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers again");
	console_works("IO-APIC");
	give_memory_back(claimed);
	check(meminfo_kib("MemTotal:") == memory, "all memory is back: %ld KiB of %ld", meminfo_kib("MemTotal:"), memory);
}

int patience(void)
{
	char text[16];

	return read_file("/patience", text, sizeof(text)) ? atoi(text) : 5000;
}
