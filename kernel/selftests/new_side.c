// SPDX-License-Identifier: GPL-2.0
/* What the launched kernel's agent does in the product: get ready, take over, commit. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
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
	network = network_up("10.0.2.15", 5000);
	up = now_us();
	pinged = ping("10.0.2.2", 10000);
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

#define CHUNK_WORDS (1024 * 1024 / 8)

/* Memory that is really there can be written and read back, nearly all of it. */
void use_memory(void)
{
	static uint64_t chunk[CHUNK_WORDS];
	uint64_t chunks = (meminfo_kib("MemAvailable:") - 96 * 1024) * 1024ULL / sizeof(chunk), wrong = 0, done = 0;
	int fd;

	mkdir("/fill", 0700);
	must(!mount("fill", "/fill", "tmpfs", 0, "size=100%"), "mount a tmpfs (%m)");
	fd = open("/fill/memory", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (uint64_t i = 0; i < chunks; i++) {
		for (int word = 0; word < CHUNK_WORDS; word += 512)
			chunk[word] = i * CHUNK_WORDS + word;
		done += write(fd, chunk, sizeof(chunk)) == sizeof(chunk);
	}
	lseek(fd, 0, SEEK_SET);
	for (uint64_t i = 0; i < chunks; i++) {
		bool good = read(fd, chunk, sizeof(chunk)) == sizeof(chunk);

		for (int word = 0; good && word < CHUNK_WORDS; word += 512)
			good = chunk[word] == i * CHUNK_WORDS + word;
		wrong += !good;
	}
	check(done == chunks && !wrong, "wrote and read back %llu MiB of %ld", (unsigned long long)chunks,
	      meminfo_kib("MemTotal:") / 1024);
	close(fd);
	umount("/fill");
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
	check(ping("10.0.2.2", 5000), "the network answers after the commit");
}

/** Up to READY: nothing of the running kernel's may be taken before. */
void get_ready(void)
{
	struct twinkernel_ready ready = { .size = sizeof(ready) };
	struct twinkernel_commit early = { .size = sizeof(early) };

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
