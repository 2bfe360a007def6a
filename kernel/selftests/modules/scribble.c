// SPDX-License-Identifier: GPL-2.0
/*
 * For the self test "scribble": this kernel loses its mind. It masks the pins of the first IOAPIC, as a commit does that never
 * ends, and writes noise over what it shares with its parent, for ever.
 */
#include <linux/bits.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <asm/tsc.h>

static ulong start;
module_param(start, ulong, 0);
static ulong bytes;
module_param(bytes, ulong, 0);

#define IOAPIC		0xfec00000	/* wherever QEMU has one */
#define PINS		24
#define MASKED		BIT(16)

static int mask_pins(void)
{
	u32 __iomem *registers = ioremap(IOAPIC, 32);

	if (!registers)
		return -ENOMEM;
	for (u32 pin = 0; pin < PINS; pin++) {
		writel(0x10 + 2 * pin, registers);
		writel(MASKED, registers + 4);
	}
	iounmap(registers);
	return 0;
}

static int __init scribble_init(void)
{
	u64 *shared = memremap(start, bytes, MEMREMAP_WB), noise = rdtsc() | 1;

	if (!shared || mask_pins())
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
