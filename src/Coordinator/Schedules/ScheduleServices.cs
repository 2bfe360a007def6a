using Quartz;
using TwinKernel.Fleet.Coordinator.Data;

namespace TwinKernel.Fleet.Coordinator.Schedules;

internal static class ScheduleServices
{
    /// <summary>
    /// When schedules are looked at: their times are whole minutes. The trigger is only what wakes a coordinator; what is due is in the
    /// table of schedules, and what a wake-up that did not come left undone the next one does.
    /// </summary>
    private const string EveryMinute = "0 * * * * ?";

    /// <summary>All coordinators share one clustered scheduler: each firing happens in one of them.</summary>
    public static WebApplicationBuilder AddSchedules(this WebApplicationBuilder builder)
    {
        string connection = DataServices.ConnectionString(builder.Configuration);
        builder.Services.AddQuartz(quartz =>
        {
            quartz.ConfigureScheduler(scheduler =>
            {
                scheduler.InstanceName = "fleet";
                scheduler.GenerateInstanceId = true;
                // A job added by another coordinator is seen by then.
                scheduler.IdleWaitTime = TimeSpan.FromSeconds(5);
            });
            quartz.UseDefaultThreadPool(2);
            quartz.UsePersistentStore(store =>
            {
                store.UsePostgres(connection);
                store.UseClustering(cluster =>
                {
                    cluster.CheckinInterval = TimeSpan.FromSeconds(5);
                    cluster.CheckinMisfireThreshold = TimeSpan.FromSeconds(15);
                });
            });
            quartz.AddJob<PurgeDelivered>(job => job.WithIdentity(PurgeDelivered.Key).StoreDurably());
            quartz.AddTrigger(trigger => trigger
                .WithIdentity("nightly", PurgeDelivered.Key.Group)
                .ForJob(PurgeDelivered.Key)
                .WithCronSchedule("0 17 3 * * ?", cron => cron.InTimeZone(TimeZoneInfo.Utc)));
            quartz.AddJob<FireSchedules>(job => job.WithIdentity(FireSchedules.Key).StoreDurably());
            quartz.AddTrigger(trigger => trigger
                .WithIdentity("every-minute", FireSchedules.Key.Group)
                .ForJob(FireSchedules.Key)
                .WithCronSchedule(EveryMinute, cron => cron.InTimeZone(TimeZoneInfo.Utc)));
        });
        builder.Services.AddSingleton<CreateSchedule>();
        builder.Services.AddSingleton<ControlSchedule>();
        builder.Services.AddSingleton<ReadSchedules>();
        builder.Services.AddQuartzHostedService(hosted => hosted.WaitForJobsToComplete = true);
        return builder;
    }
}
