// SPDX-License-Identifier: GPL-2.0
/* For the self test "linkfuzz": for a while this kernel writes noise over a piece of what it shares, and lives on itself. */
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <asm/tsc.h>

static ulong start;
module_param(start, ulong, 0);
static ulong bytes;
module_param(bytes, ulong, 0);
static uint ms;
module_param(ms, uint, 0);

static int __init linknoise_init(void)
{
	u64 *shared = memremap(start, bytes, MEMREMAP_WB), noise = rdtsc() | 1;
	unsigned long end = jiffies + msecs_to_jiffies(ms);

	if (!shared)
		return -ENOMEM;
	while (time_before(jiffies, end)) {
		for (int i = 0; i < 64; i++) {
			noise ^= noise << 13;
			noise ^= noise >> 7;
			noise ^= noise << 17;
			WRITE_ONCE(shared[(noise >> 20) % (bytes / sizeof(*shared))], noise);
		}
		usleep_range(20, 50);
	}
	memunmap(shared);
	return -EAGAIN;	/* done: nothing to stay loaded for */
}

module_init(linknoise_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("overwrites memory with noise for a while");
