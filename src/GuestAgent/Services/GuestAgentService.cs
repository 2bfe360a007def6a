using Google.Protobuf;
using Grpc.Core;
using TwinKernel.Fleet.GuestAgent.Handover;
using TwinKernel.Fleet.GuestAgent.Journal;
using TwinKernel.Fleet.GuestAgent.Twin;
using Wire = TwinKernel.Fleet.Contracts.Guest;

namespace TwinKernel.Fleet.GuestAgent.Services;

/// <summary>The steps an upgrade consists of, one object each.</summary>
internal sealed record Steps(
    Preflight Preflight, Reserve Reserve, Load Load, Start Start, AwaitStandby AwaitStandby, Transfer Transfer, CutOver CutOver, Commit Commit, RollBack RollBack,
    KexecLoad KexecLoad, KexecCutOver KexecCutOver);

/// <summary>gRPC in, steps out: no decision is made here but which status an exception becomes.</summary>
internal sealed class GuestAgentService(
    StatusReader status, InspectionReader inspection, StepRunner runner, Steps steps, UpgradeJournal journal, Standby standby, KernelIdentity identity, TimeProvider time)
    : Wire.GuestAgent.GuestAgentBase
{
    /// <summary>Kept back from a caller's deadline, so that the answer with its reason arrives before it.</summary>
    private static readonly TimeSpan AnswerTime = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LongestStandby = TimeSpan.FromMinutes(5);

    public override Task<Wire.Status> GetStatus(Wire.StatusRequest request, ServerCallContext context) => Task.FromResult(status.Read());

    public override Task<Wire.Inspection> Inspect(Wire.InspectRequest request, ServerCallContext context) => Task.FromResult(inspection.Read());

    public override async Task<Wire.PreflightReport> Preflight(Wire.PreflightRequest request, ServerCallContext context)
    {
        PreflightQuestion question = new(request.UpgradeId, request.SlotBytes, request.KernelBytes, request.InitrdBytes) { TakeOverOnPanic = request.TakeOverOnPanic };
        IReadOnlyList<PreflightCheck>? checks = null;
        IReadOnlyList<StepTiming> timings = [];
        Wire.Strategy chosen = Wire.Strategy.Unspecified;
        try
        {
            StepOutcome outcome = await runner.RunAsync(Wire.Step.Preflight, request.UpgradeId, request.Epoch, step =>
            {
                checks = steps.Preflight.Run(question);
                Wire.Strategy possible = Handover.Preflight.Choose(checks, request.Strategies);
                step.Facts["strategy"] = $"{possible}";
                if (possible == Wire.Strategy.Unspecified)
                {
                    string[] failed = [.. checks.Where(check => !check.Passed).Select(check => $"{check.Name}: {check.Message}")];
                    throw new StepFailure(StatusCode.FailedPrecondition, Reasons.PreflightBlocked, string.Join("; ", failed));
                }
            }, context.CancellationToken);
            timings = outcome.Entry.Timings;
            chosen = journal.Current!.Strategy;
        }
        catch (StepFailure failure) when (failure.Reason is Reasons.PreflightBlocked or Reasons.WrongStep && failure.Code == StatusCode.FailedPrecondition)
        {
            // Blocked is an answer. Another upgrade that holds the floor is one of the blockers, told beside the others.
        }
        catch (StepFailure failure)
        {
            throw AsRpc(Wire.Step.Preflight, failure);
        }

        checks ??= steps.Preflight.Run(question);
        return new Wire.PreflightReport
        {
            Checks =
            {
                checks.Select(check => new Wire.PreflightReport.Types.Check
                {
                    Name = check.Name, Passed = check.Passed, Message = check.Message, NeededFor = { check.NeededFor },
                }),
            },
            Chosen = chosen,
            Timings = { timings.Select(identity.OnThisClock) },
        };
    }

    public override Task<Wire.StepResult> Reserve(Wire.ReserveRequest request, ServerCallContext context) =>
        RunAsync(Wire.Step.Reserve, request.UpgradeId, request.Epoch, context, step => steps.Reserve.Run(step, request.SlotBytes));

    public override async Task<Wire.StepResult> Load(IAsyncStreamReader<Wire.LoadRequest> requests, ServerCallContext context)
    {
        if (!await requests.MoveNext(context.CancellationToken) || requests.Current.Header is not { } header)
        {
            throw AsRpc(Wire.Step.Load, new StepFailure(StatusCode.InvalidArgument, Reasons.ImageInvalid, "The first message of Load must be the header."));
        }

        return await RunAsync(Wire.Step.Load, header.UpgradeId, header.Epoch, context,
            step =>
            {
                if (ByKexec)
                {
                    steps.KexecLoad.Run(step, header, cancellation => NextChunk(requests, cancellation));
                }
                else
                {
                    steps.Load.Run(step, header, cancellation => NextChunk(requests, cancellation));
                }
            }, endsWithCaller: true);
    }

    public override Task<Wire.StepResult> Start(Wire.StepRequest request, ServerCallContext context) =>
        RunAsync(Wire.Step.Start, request.UpgradeId, request.Epoch, context, steps.Start.Run);

    public override Task<Wire.StepResult> AwaitStandby(Wire.StandbyRequest request, ServerCallContext context)
    {
        TimeSpan patience = context.Deadline == DateTime.MaxValue ? LongestStandby : context.Deadline - time.GetUtcNow().UtcDateTime - AnswerTime;
        return RunAsync(Wire.Step.Standby, request.UpgradeId, request.Epoch, context, step => steps.AwaitStandby.Run(step, patience, request.TakeOverOnPanic), endsWithCaller: true);
    }

    public override Task<Wire.StepResult> Transfer(Wire.TransferRequest request, ServerCallContext context) =>
        RunAsync(Wire.Step.Transfer, request.UpgradeId, request.Epoch, context, step => steps.Transfer.Run(step, request.StandbyCard));

    public override Task<Wire.StepResult> CutOver(Wire.CutOverRequest request, ServerCallContext context)
    {
        uint patience = request.PatienceMs == 0 ? Handover.CutOver.DefaultPatienceMs : request.PatienceMs;
        Task delivered = AnswerDelivery.Of(context.GetHttpContext());
        if (ByKexec)
        {
            return RunAsync(Wire.Step.CutOver, request.UpgradeId, request.Epoch, context, steps.KexecCutOver.Prepare,
                after: step => BehindAnswer(delivered, "kexec", () => steps.KexecCutOver.Jump(step)));
        }

        return RunAsync(Wire.Step.CutOver, request.UpgradeId, request.Epoch, context, step => steps.CutOver.Prepare(step, patience),
            after: step => BehindAnswer(delivered, "park", () => steps.CutOver.Park(step, patience)));
    }

    public override Task<Wire.StepResult> Commit(Wire.StepRequest request, ServerCallContext context) =>
        RunAsync(Wire.Step.Commit, request.UpgradeId, request.Epoch, context, step => steps.Commit.Run(step, standby.Order?.SlotBytes ?? 0));

    public override Task<Wire.StepResult> RollBack(Wire.StepRequest request, ServerCallContext context)
    {
        Task delivered = AnswerDelivery.Of(context.GetHttpContext());
        return RunAsync(Wire.Step.RollBack, request.UpgradeId, request.Epoch, context, step =>
        {
            steps.RollBack.Run(step);
            if (steps.RollBack.IsKernelB)
            {
                _ = BehindAnswer(delivered, "return", steps.RollBack.Return);
            }
        });
    }

    private bool ByKexec => journal.Current?.Strategy == Wire.Strategy.Kexec;

    private static ReadOnlyMemory<byte>? NextChunk(IAsyncStreamReader<Wire.LoadRequest> requests, CancellationToken cancellation)
    {
        if (!requests.MoveNext(cancellation).GetAwaiter().GetResult())
        {
            return null;
        }

        return requests.Current.ContentCase == Wire.LoadRequest.ContentOneofCase.Chunk
            ? requests.Current.Chunk.Memory
            : throw new StepFailure(StatusCode.InvalidArgument, Reasons.ImageInvalid, "After the header, Load takes chunks only.");
    }

    private static async Task BehindAnswer(Task delivered, string name, Action action)
    {
        await delivered;
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            try
            {
                action();
            }
            finally
            {
                done.SetResult();
            }
        })
        { IsBackground = true, Name = name }.Start();
        await done.Task;
    }

    private async Task<Wire.StepResult> RunAsync(Wire.Step step, string upgradeId, ulong epoch, ServerCallContext context, Action<StepContext> body,
        bool endsWithCaller = false, Func<StepContext, Task>? after = null)
    {
        try
        {
            StepOutcome outcome = await runner.RunAsync(step, upgradeId, epoch, body, context.CancellationToken, endsWithCaller, after);
            return new Wire.StepResult
            {
                AlreadyDone = outcome.AlreadyDone,
                Timings = { outcome.Entry.Timings.Select(identity.OnThisClock) },
                Facts = { outcome.Entry.Facts.ToDictionary(fact => fact.Key, fact => fact.Value) },
            };
        }
        catch (StepFailure failure)
        {
            throw AsRpc(step, failure);
        }
    }

    private RpcException AsRpc(Wire.Step step, StepFailure failure)
    {
        Wire.StepError error = new()
        {
            Step = step,
            Reason = failure.Reason,
            Message = failure.Message,
            Timings = { failure.Timings.Select(identity.OnThisClock) },
        };
        return new RpcException(new Status(failure.Code, failure.Message), new Metadata { { "twinkernel-step-error-bin", error.ToByteArray() } });
    }
}
