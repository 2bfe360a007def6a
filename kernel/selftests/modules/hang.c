// SPDX-License-Identifier: GPL-2.0
/* For the self test "silent": this kernel stops dead, with interrupts off and without a word. */
#include <linux/module.h>
#include <linux/irqflags.h>
#include <asm/processor.h>

static int __init hang_init(void)
{
	local_irq_disable();
	for (;;)
		cpu_relax();
	return 0;
}

module_init(hang_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("hangs the kernel");
