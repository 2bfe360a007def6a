using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using TwinKernel.Fleet.Contracts.Messages;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using TwinKernel.Fleet.Coordinator.Hosts;
using InspectGuest = TwinKernel.Fleet.Coordinator.Guests.InspectGuest;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>Asks one gate once. Whatever goes wrong with asking is <see cref="GateOutcome.Error"/>, which never passes.</summary>
public sealed class GateQuestion(IHttpClientFactory http, InspectGuest inspect, HostQuestion hosts)
{
    public const string Client = "gates";

    /// <summary>The longest answer that is read, in bytes.</summary>
    public const int LongestAnswer = 1024 * 1024;

    /// <summary>Guests that are asked at the same time.</summary>
    private const int AtOnce = 16;

    public async Task<(GateOutcome Outcome, string Detail)> AskAsync(GateSpec gate, IReadOnlyList<GuestId> guests, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(gate.Timeout.ToTimeSpan());
        try
        {
            return gate.Kind switch
            {
                GateKind.Http => await GetAsync(gate.Target, patience.Token),
                GateKind.Prometheus => await QueryAsync(gate, patience.Token),
                GateKind.GuestProbe => await OfEachAsync(guests, "answer", ProbeAsync, patience.Token),
                GateKind.HostCommand => await OfEachAsync(guests, "pass", (guest, stop) => RunAsync(gate, guest, stop), patience.Token),
                _ => throw new ArgumentOutOfRangeException(nameof(gate), gate.Kind, "Not a kind of gate."),
            };
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return (GateOutcome.Error, $"no answer within {gate.Timeout.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture)} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or JsonException or UriFormatException or InvalidOperationException)
        {
            return (GateOutcome.Error, e.GetBaseException().Message);
        }
    }

    private async Task<(GateOutcome, string)> GetAsync(string url, CancellationToken cancellation)
    {
        using HttpClient client = http.CreateClient(Client);
        using HttpResponseMessage answer = await client.GetAsync(new Uri(url), HttpCompletionOption.ResponseHeadersRead, cancellation);
        return (answer.IsSuccessStatusCode ? GateOutcome.Success : GateOutcome.Failure, $"{url} answered {(int)answer.StatusCode}");
    }

    private async Task<(GateOutcome, string)> QueryAsync(GateSpec gate, CancellationToken cancellation)
    {
        using HttpClient client = http.CreateClient(Client);
        client.MaxResponseContentBufferSize = LongestAnswer;
        Uri query = new($"{gate.Target.TrimEnd('/')}/api/v1/query?query={Uri.EscapeDataString(gate.Query!)}");
        using HttpResponseMessage answer = await client.GetAsync(query, cancellation);
        string text = await answer.Content.ReadAsStringAsync(cancellation);
        if (!answer.IsSuccessStatusCode)
        {
            return (GateOutcome.Error, $"{gate.Target} answered {(int)answer.StatusCode}");
        }

        using JsonDocument document = JsonDocument.Parse(text);
        JsonElement data = document.RootElement.GetProperty("data");
        JsonElement result = data.GetProperty("result");
        List<double> values = data.GetProperty("resultType").GetString() switch
        {
            "vector" => [.. result.EnumerateArray().Select(one => Value(one.GetProperty("value")))],
            "scalar" => [Value(result)],
            var other => throw new InvalidOperationException($"a query must give a vector or a scalar, not a {other}"),
        };
        return (gate.Expect!.Judge(values),
            $"{gate.Query} is {(values.Count == 0 ? "nothing" : string.Join(", ", values.Take(10).Select(one => one.ToString(CultureInfo.InvariantCulture))))}, {gate.Expect} is wanted");
    }

    /// <summary>A sample is [time, "value"]; NaN and the infinities are written as words.</summary>
    private static double Value(JsonElement sample) => sample[1].GetString() switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        { } text when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) => value,
        _ => double.NaN,
    };

    /// <summary>Every guest must succeed. One that fails makes a failure of it, one that cannot be asked an error, the rest inconclusive.</summary>
    private static async Task<(GateOutcome, string)> OfEachAsync(
        IReadOnlyList<GuestId> guests, string verb, Func<GuestId, CancellationToken, Task<(GateOutcome, string)>> ask, CancellationToken cancellation)
    {
        if (guests.Count == 0)
        {
            return (GateOutcome.Inconclusive, "there is no guest that could be asked");
        }

        List<(GateOutcome Outcome, string Detail)> bad = [];
        await Parallel.ForEachAsync(guests, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellation }, async (guest, stop) =>
        {
            (GateOutcome outcome, string detail) = await ask(guest, stop);
            if (outcome != GateOutcome.Success)
            {
                lock (bad)
                {
                    bad.Add((outcome, $"{guest}: {detail}"));
                }
            }
        });
        if (bad.Count == 0)
        {
            return (GateOutcome.Success, $"{guests.Count} of {guests.Count} guests {verb}");
        }

        GateOutcome worst = ((GateOutcome[])[GateOutcome.Failure, GateOutcome.Error, GateOutcome.Inconclusive]).First(outcome => bad.Exists(one => one.Outcome == outcome));
        return (worst, string.Join(" ", bad.Take(5).Select(one => one.Detail)));
    }

    private async Task<(GateOutcome, string)> ProbeAsync(GuestId guest, CancellationToken cancellation)
    {
        try
        {
            await inspect.HandleAsync(new Wire.InspectGuestRequest { Host = guest.Host, Guest = guest.Name }, cancellation);
            return (GateOutcome.Success, "");
        }
        catch (RpcException e)
        {
            return (e.StatusCode == StatusCode.FailedPrecondition ? GateOutcome.Failure : GateOutcome.Error, e.Status.Detail);
        }
    }

    private async Task<(GateOutcome, string)> RunAsync(GateSpec gate, GuestId guest, CancellationToken cancellation)
    {
        try
        {
            TimeSpan timeout = gate.Timeout.ToTimeSpan();
            // The command has a little less than the question: that it was killed is to arrive as an answer.
            GateCommandEnded ended = await hosts.AskAsync<RunGateCommand, GateCommandEnded>(
                guest.Host, new RunGateCommand { Host = guest.Host, Guest = guest.Name, CommandLine = gate.Target, Timeout = timeout * 0.9 }, timeout, cancellation);
            string said = ended.LastLine.Length > 0 ? $" ({ended.LastLine})" : "";
            return ended.ExitCode switch
            {
                0 => (GateOutcome.Success, ""),
                1 => (GateOutcome.Failure, $"'{gate.Target}' says no{said}"),
                2 => (GateOutcome.Inconclusive, $"'{gate.Target}' cannot tell{said}"),
                { } code => (GateOutcome.Error, $"'{gate.Target}' ended with exit code {code}{said}"),
                null => (GateOutcome.Error, ended.Problem ?? "the host gave no answer"),
            };
        }
        catch (RpcException e)
        {
            return (GateOutcome.Error, e.Status.Detail);
        }
    }
}
