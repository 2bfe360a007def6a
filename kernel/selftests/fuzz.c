// SPDX-License-Identifier: GPL-2.0
/*
 * Two processes throw requests at the device, half of them plausible, for a time. Whatever they did, the kernel is
 * whole and silent afterwards. twintest.seed=N repeats a run.
 *
 * Left out, because it is what the device is for and ends the machine: a launch that begins at random bytes. Entry,
 * boot_params and page table are those of the loaded image or lie outside of the slot, and after the one launch that
 * is carried out, always outside: the kernel has overwritten its image by then. The instance that it starts is real,
 * and stopped by another request or at the end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "twintest.h"

#define SECONDS		15
#define REQUESTS	0x19	/* a little more than there are */
#define BYTES_MAX	192

static uint64_t state;

/* Shared by the processes: what came of each request (refused, carried out), and the newest ids. */
static struct {
	uint32_t outcomes[REQUESTS][2];
	uint32_t slot, instance;
	uint8_t byte;	/* read somewhere */
	int launching, launched;
} *shared;

static uint64_t noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static bool chance(int one_in)
{
	return noise() % one_in == 0;
}

/* What requests may point at: the module writes there. */
static uint8_t target[TWINKERNEL_MESSAGE_MAX];

static const uint16_t sizes[REQUESTS] = {
	sizeof(struct twinkernel_query), sizeof(struct twinkernel_claim_slot), sizeof(struct twinkernel_release_slot),
	sizeof(struct twinkernel_slots), sizeof(struct twinkernel_launch), sizeof(struct twinkernel_stop),
	sizeof(struct twinkernel_instances), sizeof(struct twinkernel_give_cpu), sizeof(struct twinkernel_message),
	sizeof(struct twinkernel_message), sizeof(struct twinkernel_park), sizeof(struct twinkernel_ready),
	sizeof(struct twinkernel_wait_parked), sizeof(struct twinkernel_adopt_function), sizeof(struct twinkernel_return),
	sizeof(struct twinkernel_commit), sizeof(struct twinkernel_adopt_memory), sizeof(struct twinkernel_arm),
	sizeof(struct twinkernel_give_function), sizeof(struct twinkernel_give_function),
	sizeof(struct twinkernel_release_function), sizeof(struct twinkernel_give_memory),
	sizeof(struct twinkernel_give_memory), sizeof(struct twinkernel_release_memory),
	sizeof(struct twinkernel_connections),
};

/* A value that some member may well have. */
static uint64_t plausible(const struct claimed *claimed)
{
	const uint64_t values[] = {
		0, 1, 2, 3, 5, 77, 100, 4096, claimed->slot.start, claimed->slot.bytes, claimed->slot.bytes / 4,
		claimed->slot.start + claimed->slot.bytes, claimed->slot.low_start, claimed->image.control, UINT32_MAX,
		UINT64_MAX, 1ULL << 40, (uintptr_t)target,
	};

	return chance(4) ? noise() : values[noise() % (sizeof(values) / sizeof(values[0]))];
}

static uint64_t this_or_outside(const struct claimed *claimed, uint64_t good)
{
	return shared->launched || chance(3) ? claimed->slot.start + claimed->slot.bytes + noise() % 0x100000 : good;
}

static void fill(uint8_t *bytes, uint32_t number, const struct claimed *claimed)
{
	struct twinkernel_launch *launch = (void *)bytes;

	for (int i = 0; i < BYTES_MAX / 8; i++) {
		uint64_t value = chance(3) ? plausible(claimed) : 0;

		memcpy(bytes + 8 * i, &value, 8);
		if (chance(2)) {
			uint32_t half = plausible(claimed);

			memcpy(bytes + 8 * i + 4, &half, 4);
		}
	}
	if (number == 4) {
		launch->entry = this_or_outside(claimed, claimed->image.entry);
		launch->boot_params = this_or_outside(claimed, claimed->image.boot_params);
		launch->page_table = this_or_outside(claimed, claimed->image.page_table);
		launch->control = this_or_outside(claimed, claimed->image.control);
		launch->link = chance(3) ? 0 : this_or_outside(claimed, claimed->image.link);
		launch->link_bytes = chance(3) ? noise() : launch->link ? claimed->image.link_bytes : 0;
		if (chance(2)) {
			memset(launch->image_id, 0, sizeof(launch->image_id));
			launch->slot = shared->slot;
			launch->cpu = 1;
		}
	}
	if ((number == 2 || number == 5 || number == 7 || number == 8 || number == 9 || number == 0x12 ||
	     number == 0x13 || number == 0x15 || number == 0x16) && chance(2))
		((struct twinkernel_stop *)bytes)->instance = number == 2 ? shared->slot : shared->instance;
	if (number == 1 && chance(2)) {	/* a slot that was released is worth claiming again */
		struct twinkernel_claim_slot *claim = (void *)bytes;

		*claim = (struct twinkernel_claim_slot){ .start = claimed->slot.start, .bytes = claimed->slot.bytes };
	}
	if (number == 8 || number == 9 || number == 12)	/* short waits: milliseconds */
		*(uint32_t *)(bytes + (number == 12 ? 4 : 8)) %= 20;
	*(uint32_t *)bytes = chance(8) ? (uint32_t)plausible(claimed) : number < REQUESTS ? sizes[number] : 8;
}

static void map_something(const struct claimed *claimed)
{
	uint64_t start = plausible(claimed) & ~4095ULL;
	size_t bytes = (1 + noise() % 64) * 4096;
	uint8_t *at = mmap(NULL, bytes, PROT_READ, chance(4) ? MAP_PRIVATE : MAP_SHARED, device, start);

	if (at == MAP_FAILED)
		return;
	shared->byte = at[noise() % bytes];
	munmap(at, bytes);
}

static void request(uint32_t number, uint8_t *bytes)
{
	bool done;

	/* One at a time, so that none was filled in before the one that is carried out. */
	if (number == 4 && __atomic_exchange_n(&shared->launching, 1, __ATOMIC_ACQUIRE))
		return;
	if (number == 4 && shared->launched)
		((struct twinkernel_launch *)bytes)->entry = 0;
	done = !ioctl(device, _IOC(3, TWINKERNEL_IOC_MAGIC, number, sizes[number]), bytes);
	__atomic_add_fetch(&shared->outcomes[number][done], 1, __ATOMIC_RELAXED);
	if (done && number == 1)
		shared->slot = ((struct twinkernel_claim_slot *)bytes)->slot;
	if (number == 4) {
		if (done) {
			shared->instance = ((struct twinkernel_launch *)bytes)->instance;
			shared->launched = 1;
		}
		__atomic_store_n(&shared->launching, 0, __ATOMIC_RELEASE);
	}
}

static void throw(const struct claimed *claimed, uint64_t seed)
{
	uint8_t bytes[BYTES_MAX] __attribute__((aligned(8)));
	uint64_t start = now_us();
	bool stops;

	for (state = seed; now_us() - start < SECONDS * 1000000ULL;) {
		uint32_t number = chance(50) ? noise() % 256 : noise() % REQUESTS;
		uint32_t type = chance(50) ? noise() % 256 : TWINKERNEL_IOC_MAGIC;

		if (chance(10)) {
			map_something(claimed);
			continue;
		}
		fill(bytes, number, claimed);
		/*
		 * Two thirds of the time with the instance that the launch started, the rest without: how many requests
		 * a slow machine gets through must not decide whether one was ever stopped.
		 */
		stops = now_us() - start > SECONDS * 2000000ULL / 3;
		if ((number == 2 && !chance(stops ? 5 : 50)) || (number == 5 && !(stops && chance(20))))
			continue;
		if (type == TWINKERNEL_IOC_MAGIC && number < REQUESTS)
			request(number, bytes);
		else
			ioctl(device, _IOC(3, type, number, 8), bytes);
	}
}

static void stop_everything(struct claimed *claimed)
{
	struct twinkernel_instance instances[64];
	struct twinkernel_slot slots[64];
	struct twinkernel_instances running = { .size = sizeof(running), .capacity = 64, .instances = (uintptr_t)instances };
	struct twinkernel_slots list = { .size = sizeof(list), .capacity = 64, .slots = (uintptr_t)slots };
	bool mine = false;

	must(!ioctl(device, TWINKERNEL_IOC_INSTANCES, &running), "list the instances (%m)");
	say("%u instances run", running.count);
	for (uint32_t i = 0; i < running.count && i < 64; i++) {
		struct twinkernel_stop one = { .size = sizeof(one), .instance = instances[i].instance };

		check(!ioctl(device, TWINKERNEL_IOC_STOP, &one), "stop instance %u", instances[i].instance);
	}
	must(!ioctl(device, TWINKERNEL_IOC_SLOTS, &list), "list the slots (%m)");
	say("%u slots are claimed", list.count);
	for (uint32_t i = 0; i < list.count && i < 64; i++) {
		struct twinkernel_release_slot one = { .size = sizeof(one), .slot = slots[i].slot };

		if (slots[i].start == claimed->slot.start && slots[i].bytes == claimed->slot.bytes) {
			claimed->slot.slot = slots[i].slot;
			mine = true;
		} else {
			check(!ioctl(device, TWINKERNEL_IOC_RELEASE_SLOT, &one), "release slot %u", slots[i].slot);
		}
	}
	claimed->slot.flags = 0;
	if (!mine)
		must(!ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, &claimed->slot), "claim the slot again (%m)");
}

static void is_fuzzed(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;
	char line[4096], *at;
	uint32_t thrown = 0;
	uint64_t seed;
	int status, failed = 0;
	pid_t child[2];

	read_file("/proc/cmdline", line, sizeof(line));
	at = strstr(line, "twintest.seed=");
	seed = at ? strtoull(at + 14, NULL, 10) : now_us() * 0x9e3779b97f4a7c15ULL | 1;
	say("twintest.seed=%llu", (unsigned long long)seed);
	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(shared != MAP_FAILED, "room for outcomes (%m)");
	shared->slot = claimed.slot.slot;
	for (int i = 0; i < 2; i++) {
		child[i] = fork();
		if (!child[i]) {
			throw(&claimed, seed + i);
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++)
		failed += waitpid(child[i], &status, 0) != child[i] || status;
	check(!failed, "both processes lived through %d s", SECONDS);
	for (int i = 0; i < REQUESTS; i++) {
		say("request %#x: %u refused, %u carried out", i, shared->outcomes[i][0], shared->outcomes[i][1]);
		thrown += shared->outcomes[i][0] + shared->outcomes[i][1];
	}
	check(shared->outcomes[1][1] && shared->outcomes[2][1] && shared->outcomes[4][1] == 1 && shared->outcomes[5][1],
	      "%u requests; carried out, among others: %u claims, %u releases, %u launch, %u stops", thrown,
	      shared->outcomes[1][1], shared->outcomes[2][1], shared->outcomes[4][1], shared->outcomes[5][1]);
	stop_everything(&claimed);
	whole_again(&claimed, memory);
}

/* One that a lucky launch started, and that nobody stops. */
static void waits(const char *name)
{
	(void)name;
	for (;;)
		pause();
}
SCENARIO(fuzz, is_fuzzed, waits);
