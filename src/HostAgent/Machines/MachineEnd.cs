namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>Ends a machine, politely first, and returns when its process is gone.</summary>
internal static class MachineEnd
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <exception cref="TimeoutException">The process outlived SIGKILL.</exception>
    public static async Task EndAsync(ProcessIdentity process, Qmp? qmp, CancellationToken cancellationToken)
    {
        if (qmp is not null)
        {
            try
            {
                await qmp.ExecuteAsync("quit", null, Patience, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or TimeoutException)
            {
                // It may end before it answers, or not answer at all: the process decides.
            }

            if (await IsGoneAsync(process, cancellationToken).ConfigureAwait(false))
            {
                return;
            }
        }

        foreach (int signal in (int[])[ProcessIdentity.Terminate, ProcessIdentity.KillAtOnce])
        {
            process.Signal(signal);
            if (await IsGoneAsync(process, cancellationToken).ConfigureAwait(false))
            {
                return;
            }
        }

        throw new TimeoutException($"Process {process.Pid} did not end within {Patience} after SIGKILL.");
    }

    private static async Task<bool> IsGoneAsync(ProcessIdentity process, CancellationToken cancellationToken)
    {
        long deadline = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (process.IsAlive())
        {
            if (Environment.TickCount64 > deadline)
            {
                return false;
            }

            await Task.Delay(20, cancellationToken).ConfigureAwait(false);
        }

        return true;
    }
}
