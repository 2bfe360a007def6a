// SPDX-License-Identifier: GPL-2.0
/* Memory that was reserved at boot for slots (memmap=SIZE$START), and that the module's parameter names. */
#include "twin.h"
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include "reserved.h"

#define RESERVED_MAX 8

static char *reserved_names[RESERVED_MAX];
static int reserved_names_count;
module_param_array_named(reserved, reserved_names, charp, &reserved_names_count, 0444);
MODULE_PARM_DESC(reserved, "memory reserved at boot for slots: SIZE@START[,...]");

static struct {
	u64 start;
	u64 bytes;
} reserved[RESERVED_MAX];
static unsigned int reserved_count;

/** twin_reserved_range() - the @index-th range reserved at boot; false when there is none */
bool twin_reserved_range(unsigned int index, u64 *start, u64 *bytes)
{
	if (index >= reserved_count)
		return false;
	*start = reserved[index].start;
	*bytes = reserved[index].bytes;
	return true;
}

/** twin_reserved_has() - does all of a span lie in one of the ranges? */
bool twin_reserved_has(u64 start, u64 bytes)
{
	for (unsigned int i = 0; i < reserved_count; i++)
		if (start >= reserved[i].start && start + bytes <= reserved[i].start + reserved[i].bytes)
			return true;
	return false;
}

static int parse(char *text)
{
	u64 bytes, start;
	char *rest;

	bytes = memparse(text, &rest);
	if (!bytes || *rest != '@')
		return -EINVAL;
	start = memparse(rest + 1, &rest);
	if (*rest || !PAGE_ALIGNED(start) || !PAGE_ALIGNED(bytes) || start < SZ_1M || start + bytes < start)
		return -EINVAL;
	if (region_intersects(start, bytes, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) != REGION_DISJOINT)
		return -EBUSY;
	for (unsigned int i = 0; i < reserved_count; i++)
		if (start < reserved[i].start + reserved[i].bytes && reserved[i].start < start + bytes)
			return -EEXIST;
	reserved[reserved_count].start = start;
	reserved[reserved_count++].bytes = bytes;
	return 0;
}

/** twin_reserved_init() - read the parameter; -EINVAL, -EBUSY is System RAM, -EEXIST two ranges overlap */
int twin_reserved_init(void)
{
	for (int i = 0; i < reserved_names_count; i++) {
		int err = parse(reserved_names[i]);

		if (err) {
			pr_err("reserved=%s: %s\n", reserved_names[i],
			       err == -EBUSY ? "is System RAM of this kernel" : err == -EEXIST ? "named twice" : "not SIZE@START");
			return err;
		}
	}
	return 0;
}
