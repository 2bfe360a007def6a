// SPDX-License-Identifier: GPL-2.0
#include "twin.h"
#include <linux/hrtimer.h>
#include "compat/compat.h"
#include "heartbeat.h"
#include "instance.h"
#include "link.h"
#include "parent.h"

#define BEAT_NS	(10 * NSEC_PER_MSEC)

static struct hrtimer timer;

static enum hrtimer_restart beat(struct hrtimer *expired)
{
	twin_parent_beat_up();
	twin_instance_beat(ktime_get());
	twin_link_beat(ktime_get());
	hrtimer_forward_now(expired, ns_to_ktime(BEAT_NS));
	return HRTIMER_RESTART;
}

void twin_heartbeat_start(void)
{
	twin_hrtimer_setup(&timer, beat);
	hrtimer_start(&timer, ns_to_ktime(BEAT_NS), HRTIMER_MODE_REL);
}

void twin_heartbeat_stop(void)
{
	hrtimer_cancel(&timer);
}
