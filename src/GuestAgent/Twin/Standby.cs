using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Hooks;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.KernelDevice;
using TwinKernel.Fleet.GuestAgent.Machine;
using TwinKernel.Fleet.GuestAgent.Probation;
using TwinKernel.Fleet.GuestAgent.Services;
using TwinKernel.Fleet.GuestAgent.Workload;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Twin;

/// <summary>
/// Kernel B's side: says that it is ready, does what kernel A's agent asks through the mailbox, and takes over when kernel A has parked.
/// The order is kept in <c>/run/twinkernel/handover.json</c> (mode 0600), so that an agent that is started again goes on with it.
/// </summary>
public sealed partial class Standby(
    ITwinKernelDevice device, UpgradeJournal journal, KernelFiles files, MemoryBlocks memory, CpuSwitch cpus, GuestNetwork network, StandbyCard card, QuietConsole console, BearerToken token, StepRunner runner,
    Commit commit, ServiceHandover services, ServiceJournals journals, ContactWatchdog watchdog, ILogger<Standby> logger)
{
    private const string OrderPath = "/run/twinkernel/handover.json";
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan InterfacePatience = TimeSpan.FromSeconds(2);
    private volatile HandoverOrder? _order;

    /// <summary>What kernel A handed over; null before.</summary>
    public HandoverOrder? Order => _order;

    /// <summary>Reads back the order of an earlier run of the agent, in an instance and long after.</summary>
    public void Recall()
    {
        if (files.Exists(OrderPath))
        {
            _order = JsonSerializer.Deserialize(files.ReadBytes(OrderPath), LinkJson.Default.HandoverOrder);
        }
    }

    /// <summary>Everything is warm: tell the parent, and serve its mailbox on a thread of its own until it is gone.</summary>
    public void Begin()
    {
        if (_order is not null)
        {
            AwaitParked();
        }

        device.Ready();
        Log.Ready(logger);
        new Thread(ServeMailbox) { IsBackground = true, Name = "mailbox" }.Start();
    }

    /// <summary>Answers one message.</summary>
    internal LinkMessage Answer(LinkMessage question)
    {
        try
        {
            switch (question)
            {
                case { Kind: LinkMessage.OnlineCpu, ApicId: { } apicId }:
                    BringOnline(apicId);
                    break;
                case { Kind: LinkMessage.AdoptMemory, Start: { } start, Bytes: { } bytes }:
                    AdoptMemory(start, bytes);
                    break;
                case { Kind: LinkMessage.AdoptFunction, Function: { } function }:
                    device.AdoptFunction(function);
                    if (question is { Mac: { } mac, Network: { } own })
                    {
                        NetworkConfiguration configuration = NetworkConfiguration.Parse(own);
                        card.Serve(mac, configuration);
                        card.Rehearse(configuration.Address, question.Peer);
                    }

                    break;
                case { Kind: LinkMessage.StandbyNetwork, Network: { } standby }:
                    network.JoinParent(NetworkConfiguration.Parse(standby));
                    break;
                case { Kind: LinkMessage.WarmServices or LinkMessage.ServicesReady or LinkMessage.SyncService }:
                    services.Answer(question);
                    break;
                case { Kind: LinkMessage.Handover, Order: { } order }:
                    Accept(order);
                    break;
                default:
                    return new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Refused, Error = $"'{question.Kind}' is not known to this agent" };
            }

            return new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Done };
        }
        catch (Exception error)
        {
            return new LinkMessage { Sequence = question.Sequence, Kind = LinkMessage.Refused, Error = error.Message };
        }
    }

    /// <summary>The gap. Nothing is logged or journalled before this kernel answers on the network.</summary>
    internal void TakeOver(HandoverOrder order, TimeSpan parkedAge)
    {
        StepContext context = new(Wire.Step.CutOver, order.UpgradeId, order.Epoch, CancellationToken.None);
        context.Add("notice", parkedAge);
        context.Facts[StepHooks.FromRelease] = order.FromRelease;
        context.Facts[StepHooks.Image] = order.Image;
        try
        {
            context.Measure("services", () => services.Serve(context, parkedAge, mayReturn: !order.Failover));
            // Whom the host has led to the card that is here is served meanwhile: what serves is not to wait for the adoption then.
            using (new Urgency(needed: order.AreAwaited || !card.Serves))
            {
                foreach (PciFunction function in order.Functions)
                {
                    context.Measure("adopt", () => device.AdoptFunction(function));
                }

                context.Measure("network", () => network.ConfigureByMac(order.Mac, NetworkConfiguration.Parse(order.Network), InterfacePatience, Neighbour.Read(order.Neighbours), card => journals.Plug(card)));
            }

            services.PromoteRest(context, mayHold: !order.Failover);
            using (new Urgency())
            {
                // Behind the promotion, since they come anew at once, and in front of all that no answer to a reader waits for.
                context.Measure("tickle", () => context.Facts["connections"] = string.Create(CultureInfo.InvariantCulture, $"{network.Tickle(device.Connections())}"));
            }

            services.BeginJournals(context);
            console.End();
            network.LeaveParent();
            services.Taken();
            if (order.Failover)
            {
                context.Facts[StepHooks.NoWayBack] = "kernel A panicked";
                runner.Finish(context);
                Log.TookOver(logger);
                _ = runner.RunAsync(Wire.Step.Commit, order.UpgradeId, order.Epoch, step => commit.Run(step, order.SlotBytes), CancellationToken.None);
            }
            else
            {
                // A hook that fails leaves a failed step: whoever asks for it, or the watchdog, brings kernel A back.
                watchdog.Begin();
                runner.Finish(context);
            }
        }
        catch (Exception error)
        {
            console.End();
            runner.Record(context, error);
            if (order.Failover)
            {
                // Nobody serves, and kernel A has ended: what a panic does where no kernel stands by.
                files.Write("/proc/sysrq-trigger", "b");
            }
            else
            {
                GoBack();
            }
        }
    }

    private void ServeMailbox()
    {
        try
        {
            while (true)
            {
                if (device.Receive(0, Wait) is { } bytes && TwinLink.Read(bytes) is { } question)
                {
                    bool first = _order is null;
                    LinkMessage answer = Answer(question);
                    if (first && _order is not null)
                    {
                        AwaitParked();
                    }

                    device.Send(0, TwinLink.Write(answer));
                }
            }
        }
        catch (DeviceException error) when (error.Errno == Errno.ENOENT)
        {
            // The parent is gone: this kernel has committed.
        }
        catch (DeviceException error)
        {
            Log.MailboxLost(logger, error.Message);
        }
    }

    private void AwaitParked() => new Thread(() =>
    {
        try
        {
            TimeSpan? age;
            while ((age = device.WaitParked(Wait)) is null)
            {
                // The parent has not parked yet; it decides when.
            }

            TakeOver(_order!, age.Value);
        }
        catch (DeviceException error)
        {
            Log.MailboxLost(logger, error.Message);
        }
    })
    { IsBackground = true, Name = "take-over", Priority = ThreadPriority.Highest }.Start();

    private void Accept(HandoverOrder order)
    {
        _ = NetworkConfiguration.Parse(order.Network);
        if (journal.Current?.UpgradeId != order.UpgradeId)
        {
            journal.Open(order.UpgradeId, order.Epoch);
        }

        token.Take(order.Token);
        if (!order.Failover)
        {
            journal.Record(new StepEntry { Step = Wire.Step.CutOver, State = Wire.StepState.Running });
            console.Begin();
        }

        WriteOrder(order);
        _order = order;
    }

    private void WriteOrder(HandoverOrder order)
    {
        using FileStream file = new(files.At(OrderPath), new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        file.Write(JsonSerializer.SerializeToUtf8Bytes(order, LinkJson.Default.HandoverOrder));
    }

    private void BringOnline(uint apicId)
    {
        foreach (MachineCpu cpu in device.Query().Cpus)
        {
            if (cpu.ApicId == apicId)
            {
                long started = Stopwatch.GetTimestamp();
                cpus.Set(cpu.Number, online: true);
                Log.CpuOnline(logger, cpu.Number, apicId, Stopwatch.GetElapsedTime(started).TotalMilliseconds);
                return;
            }
        }

        throw new IOException($"no present CPU of this kernel has APIC id {apicId}");
    }

    /// <summary>Movable memory, so that it can be given back; a kernel that puts what it is given online by itself must not choose for us.</summary>
    private void AdoptMemory(ulong start, ulong bytes)
    {
        using IDisposable held = memory.KeepOffline();
        device.AdoptMemory(start, bytes);
        ulong blockBytes = memory.BlockBytes();
        for (ulong at = start; at < start + bytes; at += blockBytes)
        {
            memory.Set((uint)(at / blockBytes), "online_movable");
        }
    }

    private void GoBack()
    {
        try
        {
            device.Return();
        }
        catch (DeviceException error)
        {
            Log.NoWayBack(logger, error.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(300, LogLevel.Information, "standby: ready, waiting for the parent")]
        public static partial void Ready(ILogger logger);

        [LoggerMessage(301, LogLevel.Information, "standby: CPU {Cpu} (APIC id {ApicId}) online after {Milliseconds:0.0} ms")]
        public static partial void CpuOnline(ILogger logger, uint cpu, uint apicId, double milliseconds);

        [LoggerMessage(302, LogLevel.Error, "standby: the link to the parent ended: {Message}")]
        public static partial void MailboxLost(ILogger logger, string message);

        [LoggerMessage(304, LogLevel.Warning, "standby: the parent panicked; this kernel took over, and commits")]
        public static partial void TookOver(ILogger logger);

        [LoggerMessage(303, LogLevel.Critical, "standby: take-over failed, and the parent cannot go on either: {Message}")]
        public static partial void NoWayBack(ILogger logger, string message);
    }
}
