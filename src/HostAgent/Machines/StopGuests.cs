using TwinKernel.Fleet.HostAgent.Configuration;

namespace TwinKernel.Fleet.HostAgent.Machines;

/// <summary>
/// <c>hostagent stop-guests [--forget]</c>: ends every machine of the state directory, with or without an agent
/// that configured it. <c>--forget</c> removes what the agent remembers too (records, journals, epochs), so that a next start begins
/// with the configured images and takes commands of a coordinator that has begun anew.
/// </summary>
internal static class StopGuests
{
    private static readonly TimeSpan QmpDeadline = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LockDeadline = TimeSpan.FromSeconds(15);

    /// <returns>0 all have ended; 1 one has not, or an agent still runs.</returns>
    public static async Task<int> RunAsync(string stateDirectory, bool forget, TextWriter output, TextWriter errors, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(stateDirectory))
        {
            await output.WriteLineAsync($"{stateDirectory} does not exist: there is nothing to stop.").ConfigureAwait(false);
            return 0;
        }

        StateDirectory? state = await LockAsync(stateDirectory, errors, cancellationToken).ConfigureAwait(false);
        if (state is null)
        {
            return 1;
        }

        using (state)
        {
            int failures = 0;
            foreach (string directory in Directory.GetDirectories(state.Machines))
            {
                failures += await StopOneAsync(new MachineFiles(state, Path.GetFileName(directory)), forget, output, errors, cancellationToken).ConfigureAwait(false) ? 0 : 1;
            }

            if (forget && failures == 0)
            {
                File.Delete(state.EpochFile);
                Directory.Delete(state.Upgrades, recursive: true);
            }

            return failures == 0 ? 0 : 1;
        }
    }

    private static async Task<bool> StopOneAsync(MachineFiles files, bool forget, TextWriter output, TextWriter errors, CancellationToken cancellationToken)
    {
        string guest = Path.GetFileName(files.Directory);
        try
        {
            MachineRecord? record = DurableFile.ReadJson<MachineRecord>(files.Record);
            if (record is not null && ProcessIdentity.WithUuid(record.Uuid) is { } process)
            {
                await using Qmp? qmp = await ConnectAsync(files.Qmp, cancellationToken).ConfigureAwait(false);
                await MachineEnd.EndAsync(process, qmp, cancellationToken).ConfigureAwait(false);
                await output.WriteLineAsync($"{guest}: stopped (process {process.Pid})").ConfigureAwait(false);
            }
            else
            {
                await output.WriteLineAsync($"{guest}: did not run").ConfigureAwait(false);
            }

            if (forget)
            {
                Directory.Delete(files.Directory, recursive: true);
            }

            return true;
        }
        catch (Exception e) when (e is InvalidDataException or TimeoutException or IOException)
        {
            await errors.WriteLineAsync($"{guest}: {e.Message}").ConfigureAwait(false);
            return false;
        }
    }

    private static async Task<Qmp?> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await Qmp.ConnectAsync(path, QmpDeadline, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or TimeoutException)
        {
            return null;
        }
    }

    /// <summary>An agent that is ending has some seconds to let go; one that runs would start the machines again.</summary>
    private static async Task<StateDirectory?> LockAsync(string stateDirectory, TextWriter errors, CancellationToken cancellationToken)
    {
        long deadline = Environment.TickCount64 + (long)LockDeadline.TotalMilliseconds;
        while (true)
        {
            try
            {
                return StateDirectory.Open(stateDirectory);
            }
            catch (IOException e) when (Environment.TickCount64 > deadline)
            {
                await errors.WriteLineAsync(e.Message).ConfigureAwait(false);
                return null;
            }
            catch (IOException)
            {
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
