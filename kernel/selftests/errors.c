// SPDX-License-Identifier: GPL-2.0
/* Each refusal that the UAPI documents, in the firmware-booted kernel with one loaded slot and one offline CPU. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include <unistd.h>
#include "twintest.h"

static void refused(int expected, unsigned long request, void *argument, const char *what)
{
	int result = ioctl(device, request, argument), error = result ? errno : 0;

	check(error == expected, "%s: %s (%s expected)", what, strerrorname_np(error) ? : "0",
	      expected ? strerrorname_np(expected) : "0");
}

#define REFUSED(error, request, what, type, ...)					\
	do {										\
		struct type argument = { .size = sizeof(argument), __VA_ARGS__ };	\
		refused(error, TWINKERNEL_IOC_##request, &argument, what);		\
	} while (0)

static void sizes(void)
{
	struct { struct twinkernel_ready known; uint64_t unknown; } large = { .known.size = sizeof(large) };
	struct twinkernel_ready small = { .size = 4 };
	struct twinkernel_wait_parked old = { .size = 8, .parked_age_ns = 7 };

	refused(EINVAL, TWINKERNEL_IOC_READY, &small, "a structure smaller than the first");
	REFUSED(ENOENT, READY, "a structure of the right size", twinkernel_ready);
	refused(ENOENT, TWINKERNEL_IOC_READY, &large, "a larger structure, zero where unknown");
	large.unknown = 1;
	refused(E2BIG, TWINKERNEL_IOC_READY, &large, "a larger structure, not zero where unknown");
	refused(ENOENT, TWINKERNEL_IOC_WAIT_PARKED, &old, "a structure of an older version");
	check(old.parked_age_ns == 7, "members beyond the caller's size are not written");
	refused(EFAULT, TWINKERNEL_IOC_READY, NULL, "no structure");
	refused(ENOTTY, _IO(TWINKERNEL_IOC_MAGIC, 0x7f), NULL, "an unknown request");
	refused(ENOTTY, _IO('x', 0), NULL, "a foreign request");
}

static void without(int capability, const char *what)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct data[2];

		if (syscall(SYS_capget, &header, data))
			_exit(1);
		data[capability / 32].effective &= ~(1u << capability % 32);
		if (syscall(SYS_capset, &header, data))
			_exit(2);
		_exit(open("/dev/twinkernel", O_RDWR) < 0 && errno == EPERM ? 0 : 3);
	}
	check(child > 0 && waitpid(child, &status, 0) == child && !status, "open without %s", what);
}

static void slots(const struct claimed *claimed)
{
	const struct twinkernel_claim_slot *slot = &claimed->slot;
	uint64_t block = slot->bytes / 4;

	REFUSED(EINVAL, CLAIM_SLOT, "claim an unaligned start", twinkernel_claim_slot, .start = 0x1000, .bytes = block);
	REFUSED(EINVAL, CLAIM_SLOT, "claim unaligned bytes", twinkernel_claim_slot, .start = block, .bytes = 0x1000);
	REFUSED(EINVAL, CLAIM_SLOT, "claim nothing", twinkernel_claim_slot, .start = block);
	REFUSED(EINVAL, CLAIM_SLOT, "claim around the end", twinkernel_claim_slot, .start = -block, .bytes = 2 * block);
	REFUSED(EINVAL, CLAIM_SLOT, "claim beyond memory", twinkernel_claim_slot, .start = 1ULL << 40, .bytes = block);
	REFUSED(EINVAL, CLAIM_SLOT, "a reserved member", twinkernel_claim_slot, .start = block, .bytes = block,
		.reserved = 1);
	REFUSED(EBUSY, CLAIM_SLOT, "claim online memory", twinkernel_claim_slot, .start = slot->start + slot->bytes,
		.bytes = block);
	REFUSED(EEXIST, CLAIM_SLOT, "claim a part of a slot", twinkernel_claim_slot, .start = slot->start + block,
		.bytes = block);
	REFUSED(ENXIO, CLAIM_SLOT, "claim a hole", twinkernel_claim_slot, .start = 0, .bytes = block);
	REFUSED(ENOENT, RELEASE_SLOT, "release an unknown slot", twinkernel_release_slot, .slot = 77);
	REFUSED(EINVAL, SLOTS, "slots with a reserved member", twinkernel_slots, .reserved = 1);
	REFUSED(EFAULT, SLOTS, "slots to nowhere", twinkernel_slots, .capacity = 1, .slots = 8);
}

static int map_error(uint64_t start, size_t bytes, int flags)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, device, start);

	if (at == MAP_FAILED)
		return errno;
	munmap(at, bytes);
	return 0;
}

static void mappings(const struct claimed *claimed)
{
	const struct twinkernel_claim_slot *slot = &claimed->slot;
	struct twinkernel_launch launch = { .size = sizeof(launch), .slot = slot->slot, .cpu = 1 };
	void *at;

	check(map_error(slot->start, 4096, MAP_PRIVATE) == EINVAL, "a private mapping");
	check(map_error(slot->start - 4096, 8192, MAP_SHARED) == ENXIO, "a mapping that begins before the slot");
	check(map_error(slot->start + slot->bytes - 4096, 8192, MAP_SHARED) == ENXIO, "a mapping beyond the slot");
	check(map_error(0x1000, 4096, MAP_SHARED) == ENXIO, "a mapping of other low memory");
	check(map_error(slot->low_start, 0x10000, MAP_SHARED) == 0, "a mapping of the window");
	at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, device, slot->start);
	refused(EBUSY, TWINKERNEL_IOC_LAUNCH, &launch, "launch a mapped slot");
	REFUSED(EBUSY, RELEASE_SLOT, "release a mapped slot", twinkernel_release_slot, .slot = slot->slot);
	munmap(at, 4096);
}

static void launches(const struct claimed *claimed)
{
	const struct twinkernel_launch good = {
		.size = sizeof(good), .slot = claimed->slot.slot, .cpu = 1, .entry = claimed->image.entry,
		.boot_params = claimed->image.boot_params, .page_table = claimed->image.page_table,
		.control = claimed->image.control,
	};
	uint64_t end = claimed->slot.start + claimed->slot.bytes;
	struct twinkernel_launch bad;

#define BAD_LAUNCH(error, what, member, value)				\
	do {								\
		bad = good;						\
		bad.member = value;					\
		refused(error, TWINKERNEL_IOC_LAUNCH, &bad, what);	\
	} while (0)
	BAD_LAUNCH(ENOENT, "launch in an unknown slot", slot, 77);
	BAD_LAUNCH(ENOENT, "launch on an unknown CPU", cpu, 77);
	BAD_LAUNCH(EBUSY, "launch on an online CPU", cpu, 0);
	BAD_LAUNCH(EINVAL, "an entry outside", entry, end);
	BAD_LAUNCH(EINVAL, "a page table outside", page_table, claimed->slot.start - 4096);
	BAD_LAUNCH(EINVAL, "an unaligned page table", page_table, good.page_table + 8);
	BAD_LAUNCH(EINVAL, "a page table that maps nothing", page_table, claimed->slot.start + 0x80000);
	BAD_LAUNCH(EINVAL, "unaligned boot_params", boot_params, good.boot_params + 8);
	BAD_LAUNCH(EINVAL, "boot_params outside", boot_params, end);
	BAD_LAUNCH(EINVAL, "a control block that does not fit", control, end - TWINKERNEL_CONTROL_BYTES + 4096);
	BAD_LAUNCH(EINVAL, "an unaligned control block", control, good.control + 8);
	BAD_LAUNCH(EINVAL, "an image id that is no text", image_id[0], '\n');
	BAD_LAUNCH(EINVAL, "a link without a place", link_bytes, TWINKERNEL_LINK_BYTES_MIN);
	BAD_LAUNCH(EINVAL, "a link without a length", link, claimed->image.link);
#define BAD_LINK(what, place, length)						\
	do {									\
		bad = good;							\
		bad.link = place;						\
		bad.link_bytes = length;					\
		refused(EINVAL, TWINKERNEL_IOC_LAUNCH, &bad, what);		\
	} while (0)
	BAD_LINK("a link that is too small", claimed->image.link, TWINKERNEL_LINK_BYTES_MIN - 1);
	BAD_LINK("an unaligned link", claimed->image.link + 8, TWINKERNEL_LINK_BYTES_MIN);
	BAD_LINK("a link that does not fit", claimed->image.link, end - claimed->image.link + 4096);
	BAD_LINK("a link over the control block", good.control - 4096, TWINKERNEL_LINK_BYTES_MIN);
	bad = good;
	memset(bad.image_id, 'x', sizeof(bad.image_id));
	refused(EINVAL, TWINKERNEL_IOC_LAUNCH, &bad, "an image id without an end");
}

static void instances(const struct claimed *claimed)
{
	static char data[TWINKERNEL_MESSAGE_MAX + 1];
	uint32_t id = launch_image(claimed, 1);
	struct twinkernel_launch again = { .size = sizeof(again), .slot = claimed->slot.slot, .cpu = 1 };

	refused(EBUSY, TWINKERNEL_IOC_LAUNCH, &again, "launch in a slot that runs one");
	check(map_error(claimed->slot.start, 4096, MAP_SHARED) == EBUSY, "map a running slot");
	REFUSED(EBUSY, RELEASE_SLOT, "release a running slot", twinkernel_release_slot, .slot = claimed->slot.slot);
	REFUSED(ENOENT, GIVE_CPU, "give to an unknown instance", twinkernel_give_cpu, .instance = 77, .cpu = 1);
	REFUSED(ENOENT, GIVE_CPU, "give an unknown CPU", twinkernel_give_cpu, .instance = id, .cpu = 77);
	REFUSED(EBUSY, GIVE_CPU, "give an online CPU", twinkernel_give_cpu, .instance = id, .cpu = 0);
	REFUSED(EBUSY, GIVE_CPU, "give a CPU twice", twinkernel_give_cpu, .instance = id, .cpu = 1);
	REFUSED(EINVAL, GIVE_CPU, "give with a reserved member", twinkernel_give_cpu, .instance = id, .reserved = 1);
	REFUSED(EMSGSIZE, SEND, "send too much", twinkernel_message, .instance = id, .bytes = sizeof(data),
		.data = (uintptr_t)data);
	REFUSED(ENOENT, SEND, "send to nobody", twinkernel_message, .instance = 77, .data = (uintptr_t)data);
	REFUSED(0, SEND, "send once", twinkernel_message, .instance = id, .bytes = 1, .data = (uintptr_t)data);
	REFUSED(EAGAIN, SEND, "send before it was fetched", twinkernel_message, .instance = id, .data = (uintptr_t)data);
	REFUSED(EFAULT, SEND, "send from nowhere", twinkernel_message, .instance = id, .bytes = 8, .data = 8);
	REFUSED(ETIMEDOUT, RECEIVE, "receive nothing", twinkernel_message, .instance = id, .timeout_ms = 20);
	REFUSED(EINVAL, RECEIVE, "receive for too long", twinkernel_message, .instance = id, .timeout_ms = 60001);
	REFUSED(ENOENT, RECEIVE, "receive from nobody", twinkernel_message, .instance = 77);
	REFUSED(EAGAIN, PARK, "park for an instance that is not ready", twinkernel_park, .instance = id,
		.patience_ms = 1000);
	REFUSED(ENOENT, PARK, "park for nobody", twinkernel_park, .instance = 77, .patience_ms = 1000);
	REFUSED(EINVAL, PARK, "park without patience", twinkernel_park, .instance = id, .patience_ms = 9);
	REFUSED(EINVAL, PARK, "park with too much patience", twinkernel_park, .instance = id, .patience_ms = 60001);
	REFUSED(EINVAL, PARK, "park with too many functions", twinkernel_park, .instance = id, .patience_ms = 1000,
		.function_count = TWINKERNEL_PARK_MAX_FUNCTIONS + 1);
	REFUSED(ENOENT, STOP, "stop an unknown instance", twinkernel_stop, .instance = 77);
	REFUSED(0, STOP, "stop it", twinkernel_stop, .instance = id);
	REFUSED(ENOENT, STOP, "stop it twice", twinkernel_stop, .instance = id);
}

static void only_in_an_instance(void)
{
	REFUSED(EINVAL, READY, "ready with a reserved member", twinkernel_ready, .reserved = 1);
	REFUSED(EINVAL, WAIT_PARKED, "wait for too long", twinkernel_wait_parked, .timeout_ms = 60001);
	REFUSED(ENOENT, WAIT_PARKED, "wait without a parent", twinkernel_wait_parked, .timeout_ms = 10);
	REFUSED(EINVAL, CONNECTIONS, "connections with a reserved member", twinkernel_connections, .reserved = 1);
	REFUSED(ENOENT, CONNECTIONS, "connections without a parent", twinkernel_connections);
	REFUSED(ENOENT, ADOPT_FUNCTION, "adopt without a parent", twinkernel_adopt_function);
	REFUSED(EINVAL, RELEASE_MEMORY, "release memory with a reserved member", twinkernel_release_memory, .reserved = 1);
	REFUSED(ENOENT, RELEASE_MEMORY, "release memory without a parent", twinkernel_release_memory);
	REFUSED(EINVAL, TAKE_CPU, "take a CPU with a reserved member", twinkernel_give_cpu, .reserved = 1);
	REFUSED(EINVAL, RELEASE_FUNCTION, "release with a reserved member", twinkernel_release_function, .reserved = 1);
	REFUSED(ENOENT, RELEASE_FUNCTION, "release without a parent", twinkernel_release_function);
	REFUSED(ENOENT, RETURN, "return without a parent", twinkernel_return);
	REFUSED(ENOENT, COMMIT, "commit without a parent", twinkernel_commit);
	REFUSED(ENOENT, ADOPT_MEMORY, "adopt memory without a parent", twinkernel_adopt_memory, .start = 0x100000,
		.bytes = 0x1000);
	REFUSED(ENOENT, SEND, "send without a parent", twinkernel_message);
}

/* Last: there is no way out of a lockdown but a reboot. */
static void lockdown(void)
{
	int other;

	must(!mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL) &&
	     write_file("/sys/kernel/security/lockdown", "integrity"), "lock the kernel down (%m)");
	other = open("/dev/twinkernel", O_RDWR | O_CLOEXEC);
	check(other < 0 && errno == EPERM, "open under lockdown (%m)");
}

static void refuses(const char *name)
{
	long memory = meminfo_kib("MemTotal:");
	struct claimed claimed;

	must(set_cpu(1, false), "CPU 1 offline");
	claim_memory(&claimed, 4);
	load_image(&claimed, name);
	sizes();
	without(CAP_SYS_ADMIN, "CAP_SYS_ADMIN");
	without(CAP_SYS_BOOT, "CAP_SYS_BOOT");
	slots(&claimed);
	mappings(&claimed);
	launches(&claimed);
	instances(&claimed);
	only_in_an_instance();
	whole_again(&claimed, memory);
	lockdown();
}

/* Its instance is stopped before it has booted. */
static void never(const char *name)
{
	must(false, "the launched kernel plays no part in %s", name);
}
SCENARIO(errors, refuses, never);
