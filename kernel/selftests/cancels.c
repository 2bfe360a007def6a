// SPDX-License-Identifier: GPL-2.0
/*
 * Upgrades that are given up, hundreds of them: a slot is claimed, a processor started in it and stopped, the slot
 * released. Whatever one of them leaves behind is there hundreds of times. What is launched only halts: no boot is
 * waited for.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "twintest.h"

#define ROUNDS		300
#define WARM_UP		20
#define OBJECTS		(ROUNDS / 3)	/* one kept each round would be three times as many */
#define TOLERANCE_KIB	(ROUNDS * 4 / 2)	/* one page kept each round would be twice as much */

static bool cancel_one(struct claimed *claimed)
{
	struct twinkernel_release_slot release = { .size = sizeof(release) };
	struct twinkernel_stop stop = { .size = sizeof(stop) };

	claimed->slot.flags = 0;
	if (ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, &claimed->slot))
		return false;
	release.slot = claimed->slot.slot;
	/* On a busy host a processor may take longer than the module waits; then nothing is left behind, either. */
	for (int i = 0; i < 10 && !stop.instance; i++) {
		stop.instance = try_launch(claimed, 1);
		if (!stop.instance && errno != ETIMEDOUT)
			return false;
	}
	return stop.instance && !ioctl(device, TWINKERNEL_IOC_STOP, &stop) &&
	       !ioctl(device, TWINKERNEL_IOC_RELEASE_SLOT, &release);
}

struct stock {
	struct inventory inventory;
	char caches[64 * 1024];		/* /proc/slabinfo */
	char mappings[256 * 1024];	/* /proc/vmallocinfo */
};

/* To look leaves some objects behind itself, for the kernel to free in seconds: as few as it can, so no cache is shrunk. */
static void take(struct stock *stock)
{
	sleep_ms(500);
	take_inventory(&stock->inventory);
	must(read_file("/proc/slabinfo", stock->caches, sizeof(stock->caches)), "read the caches");
	must(read_file("/proc/vmallocinfo", stock->mappings, sizeof(stock->mappings)), "read the mappings");
}

static int lines(const char *text)
{
	int count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

static long objects_of(const char *caches, const char *name)
{
	char pattern[80];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\n%s ", name);
	at = strstr(caches, pattern);
	return at ? strtol(at + strlen(pattern), NULL, 10) : 0;
}

/* Those that hold more objects than before; after the first look only those that did at every look so far. */
static struct {
	char names[64][64];
	int count;
} grown;

static void find_grown_caches(const struct stock *before, const struct stock *now)
{
	char name[64];

	for (const char *at = strchr(now->caches, '\n'); at; at = strchr(at + 1, '\n'))
		if (sscanf(at, "%63s", name) == 1 && grown.count < 64 &&
		    objects_of(now->caches, name) - objects_of(before->caches, name) >= OBJECTS)
			strcpy(grown.names[grown.count++], name);
}

static void keep_grown_caches(const struct stock *before, const struct stock *now)
{
	int kept = 0;

	for (int i = 0; i < grown.count; i++)
		if (objects_of(now->caches, grown.names[i]) - objects_of(before->caches, grown.names[i]) >= OBJECTS)
			memmove(grown.names[kept++], grown.names[i], sizeof(grown.names[i]));
	grown.count = kept;
}

static void cancels(const char *name)
{
	static struct stock before, now;
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	uint64_t start, window;
	int done = 0, more = OBJECTS;
	bool same = false;

	(void)name;
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 2);
	load_halt(&claimed);
	must(!ioctl(device, TWINKERNEL_IOC_RELEASE_SLOT, &(struct twinkernel_release_slot){ 8, claimed.slot.slot }),
	     "release it (%m)");
	for (int i = 0; i < WARM_UP; i++)
		cancel_one(&claimed);
	take(&now);	/* so that its memory is taken before it counts */
	take(&before);
	window = claimed.slot.low_start;
	start = now_us();
	while (done < ROUNDS && cancel_one(&claimed))
		done++;
	check(done == ROUNDS && claimed.slot.low_start == window, "%d of %d rounds in %llu ms, the same window (%m)", done, ROUNDS,
	      (unsigned long long)(now_us() - start) / 1000);
	/* What is freed after a grace period is late on a busy host; what is lost is missing at every look. */
	take(&now);
	find_grown_caches(&before, &now);
	for (int i = 0; i < 20; i++) {
		same = same || same_inventory(&before.inventory, &now.inventory, TOLERANCE_KIB);
		more = lines(now.mappings) - lines(before.mappings);
		keep_grown_caches(&before, &now);
		if (same && more < OBJECTS && !grown.count)
			break;
		take(&now);
	}
	for (int i = 0; i < grown.count; i++)
		say("%s: %ld objects, before: %ld", grown.names[i], objects_of(now.caches, grown.names[i]),
		    objects_of(before.caches, grown.names[i]));
	check(same, "memory, processors, devices and interrupts are as before");
	check(more < OBJECTS, "%d more kernel mappings than before", more);
	check(!grown.count, "%d of the kernel's caches have grown", grown.count);
	must(!ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, &claimed.slot), "claim the slot again (%m)");
	whole_again(&claimed, memory);
}

static void is_not_there(const char *name)
{
	(void)name;
	check(false, "nothing boots here");
}
SCENARIO(cancels, cancels, is_not_there);
