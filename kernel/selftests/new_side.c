// SPDX-License-Identifier: GPL-2.0
/* What the launched kernel's agent does in the product: get ready, take over, commit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "twintest.h"

static void answer(void)
{
	char text[64] = "";
	struct twinkernel_message in = {
		.size = sizeof(in), .bytes = sizeof(text), .timeout_ms = 30000, .data = (uintptr_t)text,
	};
	struct twinkernel_message out = { .size = sizeof(out), .data = (uintptr_t)text };

	must(!ioctl(device, TWINKERNEL_IOC_RECEIVE, &in), "a message from the old kernel (%m)");
	out.bytes = in.bytes;
	for (uint32_t i = 0; i < in.bytes; i++)
		text[i] -= 32;
	must(!ioctl(device, TWINKERNEL_IOC_SEND, &out), "answer it (%m)");
}

void take_card(void)
{
	struct twinkernel_wait_parked wait = { .size = sizeof(wait), .timeout_ms = 60000 };
	struct twinkernel_adopt_function adopt = { .size = sizeof(adopt), .function = { .bus = 0, .devfn = 3 << 3 } };
	uint64_t parked, adopted, up, answered;
	int waited, bound;
	bool network, pinged;

	/* As the agent does: a polled serial port is slow. */
	write_file("/proc/sys/kernel/printk", "4");
	waited = ioctl(device, TWINKERNEL_IOC_WAIT_PARKED, &wait);
	parked = now_us();
	bound = ioctl(device, TWINKERNEL_IOC_ADOPT_FUNCTION, &adopt);
	adopted = now_us();
	network = network_up("10.0.2.15");
	up = now_us();
	pinged = ping("10.0.2.2");
	answered = now_us();
	write_file("/proc/sys/kernel/printk", "7");
	must(!waited, "the old kernel has parked");
	check(!bound, "adopt the card (%m)");
	check(network && pinged, "the network answers");
	say("GAP %llu us: noticed %llu, adopted %llu, link %llu, first answer %llu",
	    (unsigned long long)(wait.parked_age_ns / 1000 + answered - parked),
	    (unsigned long long)wait.parked_age_ns / 1000, (unsigned long long)(adopted - parked),
	    (unsigned long long)(up - adopted), (unsigned long long)(answered - up));
	check(time(NULL) > 1700000000, "the wall clock is the old kernel's: %lld", (long long)time(NULL));
	check(ioctl(device, TWINKERNEL_IOC_ADOPT_FUNCTION, &adopt) && errno == EEXIST, "adopting it twice");
}

static void take_memory(void)
{
	struct machine machine;
	uint64_t missing = 0;
	char path[96];

	query_machine(&machine);
	for (uint32_t i = 0; i < machine.query.range_count; i++) {
		struct twinkernel_range *range = &machine.ranges[i];
		struct twinkernel_adopt_memory adopt = { .size = sizeof(adopt), .start = range->start,
							 .bytes = range->size };
		uint64_t start = now_us(), took;
		int err;

		if (range->flags & TWINKERNEL_RANGE_OWNED)
			continue;
		err = ioctl(device, TWINKERNEL_IOC_ADOPT_MEMORY, &adopt);
		took = now_us() - start;
		check(!err, "adopt %#llx+%#llx flags %u in %llu us (%m)", range->start, range->size, range->flags,
		      (unsigned long long)took);
	}
	for (int block = 0; block < 256; block++) {
		char state[32];

		snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state", block);
		if (read_file(path, state, sizeof(state)) && !strncmp(state, "offline", 7))
			check(write_file(path, "online_movable"), "block %d online", block);
	}
	query_machine(&machine);
	for (uint32_t i = 0; i < machine.query.range_count; i++) {
		say("range %#llx+%#llx flags %u", machine.ranges[i].start, machine.ranges[i].size, machine.ranges[i].flags);
		if (!(machine.ranges[i].flags & TWINKERNEL_RANGE_OWNED))
			missing += machine.ranges[i].size;
	}
	check(!missing, "all memory is ours (%llu bytes are not), MemTotal %ld KiB", (unsigned long long)missing,
	      meminfo_kib("MemTotal:"));
}

/* Memory that is really there can be written and read back, nearly all of it: a word in each page, which the kernel clears first. */
void use_memory(void)
{
	const size_t words = 4096 / sizeof(uint64_t);
	uint64_t pages = (meminfo_kib("MemAvailable:") - 96 * 1024) / 4, wrong = 0;
	uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(memory != MAP_FAILED, "map %llu pages (%m)", (unsigned long long)pages);
	for (uint64_t page = 0; page < pages; page++)
		memory[page * words + page % words] = page + 1;
	for (uint64_t page = 0; page < pages; page++)
		wrong += memory[page * words + page % words] != page + 1 || memory[page * words + (page + 1) % words];
	check(!wrong, "wrote and read back %llu MiB of %ld", (unsigned long long)pages / 256, meminfo_kib("MemTotal:") / 1024);
	munmap(memory, pages * 4096);
}

static void commit(void)
{
	struct twinkernel_commit commit = { .size = sizeof(commit) };
	struct twinkernel_adopt_memory early = { .size = sizeof(early), .start = 0x100000, .bytes = 0x1000 };
	struct machine machine;
	uint64_t start, took;
	int err;

	check(ioctl(device, TWINKERNEL_IOC_ADOPT_MEMORY, &early) && errno == EAGAIN, "no memory before the commit");
	start = now_us();
	err = ioctl(device, TWINKERNEL_IOC_COMMIT, &commit);
	took = now_us() - start;
	check(!err, "commit in %llu us: %u CPUs (%m)", (unsigned long long)took, commit.cpus_online);
	query_machine(&machine);	/* present ones: the tables' phantom may count as possible */
	check(commit.cpus_online == machine.query.cpu_count, "all %u CPUs are online", machine.query.cpu_count);
	check(!ioctl(device, TWINKERNEL_IOC_COMMIT, &commit), "a second commit changes nothing");
	check(ping("10.0.2.2"), "the network answers after the commit");
}

/** Up to READY: nothing of the running kernel's may be taken before. */
void get_ready(void)
{
	struct twinkernel_ready ready = { .size = sizeof(ready) };
	struct twinkernel_commit early = { .size = sizeof(early) };
	struct twinkernel_connections connections = { .size = sizeof(connections) };

	check(ioctl(device, TWINKERNEL_IOC_CONNECTIONS, &connections) && errno == EAGAIN, "no connections before the park");
	check(ioctl(device, TWINKERNEL_IOC_COMMIT, &early) && errno == EAGAIN, "no commit before the park");
	check(!write_file("/sys/devices/system/cpu/cpu1/online", "1"), "the old kernel's CPU refuses to go online here");
	must(!ioctl(device, TWINKERNEL_IOC_READY, &ready), "ready (%m)");
}

/** Ready, and so until this kernel is stopped. */
void stay_ready(void)
{
	get_ready();
	for (;;)
		pause();
}

/** Through the cut-over: the old kernel has parked, its card and its address are here. */
void take_over(void)
{
	get_ready();
	answer();
	take_card();
}

/** After take_over(): the old kernel ends, all of it is here. */
void own_rest(void)
{
	commit();
	take_memory();
}

/** Through the commit: the old kernel has ended. */
void own_all(void)
{
	take_over();
	own_rest();
}
