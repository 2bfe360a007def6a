// SPDX-License-Identifier: GPL-2.0
/* Preserved memory through whatever a scenario does: no kernel's allocator has it, and each finds what the one before wrote. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "twintest.h"

#define NAME	"kept"
#define BYTES	(3 * 4096)
#define WORDS	(BYTES / 8 - 1)

struct kept {
	uint64_t visits;
	uint64_t words[WORDS];
};

static int make(const char *name, uint64_t bytes)
{
	struct twinkernel_preserve preserve = { .size = sizeof(preserve), .bytes = bytes };

	memcpy(preserve.name, name, strnlen(name, sizeof(preserve.name)));
	return ioctl(device, TWINKERNEL_IOC_PRESERVE, &preserve) ? errno : 0;
}

static int preserve_memory(uint64_t start, uint64_t bytes)
{
	struct twinkernel_preserve_memory memory = { .size = sizeof(memory), .start = start, .bytes = bytes };

	return ioctl(device, TWINKERNEL_IOC_PRESERVE_MEMORY, &memory) ? errno : 0;
}

static struct twinkernel_preserved list(struct twinkernel_preserved_piece *first)
{
	struct twinkernel_preserved list = { .size = sizeof(list), .capacity = 1, .pieces = (uintptr_t)first };

	must(!ioctl(device, TWINKERNEL_IOC_PRESERVED, &list), "list what is preserved (%m)");
	return list;
}

static int map_error(int fd, size_t bytes, int flags, off_t offset)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, bytes);
	return 0;
}

static struct kept *open_kept(void)
{
	int fd = open("/dev/twinkernel-preserved/" NAME, O_RDWR | O_CLOEXEC);
	char bytes[32] = "";
	struct kept *kept;

	must(fd >= 0, "open the piece (%m)");
	read_file("/sys/class/misc/twinkernel-preserved!" NAME "/bytes", bytes, sizeof(bytes));
	check(lseek(fd, 0, SEEK_END) == BYTES && atoi(bytes) == BYTES, "it tells its size: %s", bytes);
	check(map_error(fd, BYTES + 4096, MAP_SHARED, 0) == ENXIO && map_error(fd, 4096, MAP_SHARED, BYTES) == ENXIO &&
	      map_error(fd, 8192, MAP_SHARED, BYTES - 4096) == ENXIO, "no mapping beyond its end");
	check(map_error(fd, 4096, MAP_PRIVATE, 0) == EINVAL, "no private mapping");
	check(!map_error(fd, 4096, MAP_SHARED, BYTES - 4096), "its last page can be mapped");
	kept = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(kept != MAP_FAILED, "map the piece (%m)");
	close(fd);
	return kept;
}

/** In the first kernel: the last memory block that goes offline, and a piece of it with something in it. */
void preserve(void)
{
	struct twinkernel_claim_slot slot = { .size = sizeof(slot) };
	struct twinkernel_preserved_piece piece;
	struct twinkernel_preserved seen;
	struct machine machine;
	struct kept *kept;
	uint64_t block;
	int number = 255;

	query_machine(&machine);
	block = machine.query.memory_block_bytes;
	check(make(NAME, BYTES) == ENOSPC, "no piece without memory");
	while (number > 0 && !set_block(number, "offline"))
		number--;
	must(number, "a block offline");
	check(preserve_memory(number * block, 4096) == EINVAL, "half a block");
	check(preserve_memory((number - 1) * block, block) == EBUSY, "online memory");
	must(!preserve_memory(number * block, block), "preserve block %d (%m)", number);
	check(preserve_memory(number * block, block) == EEXIST, "preserve it again");
	slot.start = number * block;
	slot.bytes = block;
	check(ioctl(device, TWINKERNEL_IOC_CLAIM_SLOT, &slot) && errno == EEXIST, "it is no slot any more");
	check(!set_block(number, "online"), "it refuses to go online");
	query_machine(&machine);
	for (uint32_t i = 0; i < machine.query.range_count; i++)
		check(machine.ranges[i].start + machine.ranges[i].size <= slot.start ||
		      machine.ranges[i].start >= slot.start + slot.bytes, "range %u does not have it", i);
	check(make("", BYTES) == EINVAL && make(".x", BYTES) == EINVAL && make("a/b", BYTES) == EINVAL &&
	      make("a-name-that-does-not-end-in-its-member", BYTES) == EINVAL && make(NAME, 4095) == EINVAL &&
	      make(NAME, 0) == EINVAL, "names and sizes that are none");
	check(make(NAME, block + 4096) == ENOSPC, "more than there is");
	must(!make(NAME, BYTES) && !make(NAME, BYTES), "make the piece, twice (%m)");
	check(make(NAME, 4096) == EEXIST, "its size is not another");
	seen = list(&piece);
	check(seen.count == 1 && !strcmp(piece.name, NAME) && piece.bytes == BYTES && piece.start == slot.start &&
	      seen.bytes == block && seen.largest_free == block - BYTES, "the list: %u pieces, %llu bytes, %llu free", seen.count,
	      seen.bytes, seen.largest_free);
	check(!make("rest", seen.largest_free) && make("more", 4096) == ENOSPC, "all of it in two pieces");
	kept = open_kept();
	for (int i = 0; i < WORDS; i++) {
		if (kept->words[i] || kept->visits)
			must(false, "the piece is zeroes");
		kept->words[i] = i * 0x9e3779b97f4a7c15ULL;
	}
	kept->visits = 1;
	munmap(kept, BYTES);
}

/** No new piece here, now. */
void preserves_no_more(int error)
{
	check(make("new", 4096) == error && !make(NAME, BYTES), "no new piece: %s", strerrorname_np(error));
}

/** In any kernel: the piece is as @visits kernels left it, one after the other. */
void find_preserved(uint64_t visits)
{
	struct twinkernel_adopt_memory adopt = { .size = sizeof(adopt), .bytes = 1 << 27 };
	struct twinkernel_preserved_piece piece;
	struct kept *kept = open_kept();
	struct machine machine;
	int wrong = 0;

	query_machine(&machine);
	if (machine.query.flags & TWINKERNEL_QUERY_HAS_PARENT)
		preserves_no_more(EAGAIN);
	must(list(&piece).count == 2, "both pieces are known");
	adopt.start = piece.start;
	if (machine.query.flags & TWINKERNEL_QUERY_TWIN_BOOTED)
		check(ioctl(device, TWINKERNEL_IOC_ADOPT_MEMORY, &adopt) &&
		      errno == (machine.query.flags & TWINKERNEL_QUERY_HAS_PARENT ? EAGAIN : EINVAL), "it cannot be adopted (%m)");
	for (int i = 0; i < WORDS; i++)
		wrong += kept->words[i] != i * 0x9e3779b97f4a7c15ULL;
	check(!wrong && kept->visits == visits, "the piece is as %llu kernels left it: %d words wrong",
	      (unsigned long long)kept->visits, wrong);
	kept->visits++;
	munmap(kept, BYTES);
}
