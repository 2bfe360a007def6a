// SPDX-License-Identifier: GPL-2.0
/*
 * For the self test "lines": the power management timer's overflow on the ACPI interrupt, which stays asserted until its
 * status is cleared: the handler does so only when it has been called often enough.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>

#define LINE	9
#define STATUS	0x600
#define ENABLE	0x602
#define TIMER	0x1
#define TIMES	20

static int calls;
static DECLARE_COMPLETION(content);

static irqreturn_t on_level(int irq, void *data)
{
	if (!(inw(STATUS) & inw(ENABLE) & TIMER))
		return IRQ_NONE;
	if (++calls >= TIMES) {
		outw(TIMER, STATUS);
		complete(&content);
	}
	return IRQ_HANDLED;
}

static int __init level_init(void)
{
	int err;

	outw(TIMER, STATUS);
	err = request_irq(LINE, on_level, 0, "level", NULL);
	if (err)
		return err;
	msleep(500);	/* for user space to move it */
	outw(TIMER, ENABLE);
	if (!wait_for_completion_timeout(&content, 10 * HZ))
		err = -ETIMEDOUT;
	outw(0, ENABLE);
	if (err)
		free_irq(LINE, NULL);
	return err;
}

static void __exit level_exit(void)
{
	free_irq(LINE, NULL);
}

module_init(level_init);
module_exit(level_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a level interrupt that stays for a while");
