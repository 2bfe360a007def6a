// SPDX-License-Identifier: GPL-2.0
/* For the self test "return": no processor comes online here any more, so that the commit fails at its last step. */
#include <linux/cpuhotplug.h>
#include <linux/module.h>

static int state;

static int refuse(unsigned int cpu)
{
	return -EIO;
}

static int __init refuse_init(void)
{
	state = cpuhp_setup_state_nocalls(CPUHP_BP_PREPARE_DYN, "refuse:all", refuse, NULL);
	return state < 0 ? state : 0;
}

static void __exit refuse_exit(void)
{
	cpuhp_remove_state_nocalls(state);
}

module_init(refuse_init);
module_exit(refuse_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("refuses to let processors come online");
