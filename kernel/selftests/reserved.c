// SPDX-License-Identifier: GPL-2.0
/*
 * A slot in memory that was reserved at boot. The running kernel was also booted with its low memory cut short, so that
 * its own trampoline lies where windows are looked for: every window that is to be had is claimed and scribbled over,
 * and the kernel still starts its processor.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "twintest.h"

#define BLOCKS 8		/* reserved */
#define LOW_END 0x80000		/* as run.sh has it */

static uint64_t reserved_start(void)
{
	char line[4096], *at;

	read_file("/proc/cmdline", line, sizeof(line));
	at = strstr(line, "twinkernel.reserved=1G@");
	must(at, "memory was reserved at boot");
	return strtoull(strchr(at, '@') + 1, NULL, 0);
}

static void release(uint32_t slot)
{
	struct twinkernel_release_slot release = { .size = sizeof(release), .slot = slot };

	check(!ioctl(device, TWINKERNEL_IOC_RELEASE_SLOT, &release), "release slot %u", slot);
}

static int claim(struct twinkernel_claim_slot *slot, uint64_t start, uint64_t bytes)
{
	*slot = (struct twinkernel_claim_slot){ .size = sizeof(*slot), .start = start, .bytes = bytes };
	return ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, slot) ? errno : 0;
}

static void runs_there(uint64_t start, uint64_t bytes, const char *name)
{
	struct claimed claimed = {};
	uint32_t instance;

	check(claim(&claimed.slot, start - bytes / 4, bytes) == EBUSY, "half of it is this kernel's: refused");
	must(!claim(&claimed.slot, start, bytes), "claim reserved memory at %#llx", (unsigned long long)start);
	check(claimed.slot.flags == TWINKERNEL_SLOT_BOOT_RESERVED, "it is known for what it is: flags %u", claimed.slot.flags);
	load_image(&claimed, name);
	instance = launch_image(&claimed, 1);
	wait_state(instance, TWINKERNEL_READY);
	stop(instance);
	release(claimed.slot.slot);
}

static void scribble(const struct twinkernel_claim_slot *slot)
{
	void *window = mmap(NULL, slot->low_size, PROT_READ | PROT_WRITE, MAP_SHARED, device, slot->low_start);

	must(window != MAP_FAILED, "map the window at %#llx", slot->low_start);
	memset(window, 0xff, slot->low_size);
	munmap(window, slot->low_size);
}

static void takes_every_window(uint64_t start, uint64_t block)
{
	struct twinkernel_claim_slot slots[BLOCKS];
	int count = 0, error = 0;

	while (count < BLOCKS && !(error = claim(&slots[count], start + count * block, block))) {
		struct twinkernel_claim_slot *slot = &slots[count++];

		check(slot->low_start && slot->low_start + slot->low_size <= LOW_END, "window %d at %#llx", count, slot->low_start);
		for (int i = 0; i < count - 1; i++)
			check(slots[i].low_start != slot->low_start, "it is not the window of slot %u", slots[i].slot);
		scribble(slot);
	}
	check(count && error == ENOSPC, "no window is left after %d: %s", count, strerrorname_np(error) ? : "0");
	check(set_cpu(1, true) && set_cpu(1, false), "this kernel's own trampoline is whole: CPU 1 comes and goes");
	while (count--)
		release(slots[count].slot);
}

static void claims_reserved(const char *name)
{
	uint64_t start = reserved_start(), block;
	long memory = meminfo_kib("MemTotal:");
	struct machine machine;

	query_machine(&machine);
	block = machine.query.memory_block_bytes;
	check(network_up("10.0.2.15") && ping("10.0.2.2"), "the network answers");
	must(set_cpu(1, false), "CPU 1 offline");
	runs_there(start, 4 * block, name);
	takes_every_window(start, block);
	check(set_cpu(1, true), "CPU 1 is back");
	check(ping("10.0.2.2"), "the network answers");
	check(meminfo_kib("MemTotal:") == memory, "all memory is here: %ld KiB of %ld", meminfo_kib("MemTotal:"), memory);
}

static void waits(const char *name)
{
	(void)name;
	stay_ready();
}
SCENARIO(reserved, claims_reserved, waits);
