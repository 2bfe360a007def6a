// SPDX-License-Identifier: GPL-2.0
/* For the self test "scribble": this kernel loses its mind and writes noise over what it shares with its parent, for ever. */
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <asm/tsc.h>

static ulong start;
module_param(start, ulong, 0);
static ulong bytes;
module_param(bytes, ulong, 0);

static int __init scribble_init(void)
{
	u64 *shared = memremap(start, bytes, MEMREMAP_WB), noise = rdtsc() | 1;

	if (!shared)
		return -ENOMEM;
	local_irq_disable();
	for (;;)
		for (ulong i = 0; i < bytes / sizeof(*shared); i++) {
			noise ^= noise << 13;
			noise ^= noise >> 7;
			noise ^= noise << 17;
			WRITE_ONCE(shared[i], noise);
		}
	return 0;
}

module_init(scribble_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("overwrites memory with noise until it is stopped");
