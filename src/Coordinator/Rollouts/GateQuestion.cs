using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using TwinKernel.Fleet.Coordinator.Gates;
using TwinKernel.Fleet.Coordinator.Guests;
using Wire = TwinKernel.Fleet.Contracts.Fleet;

namespace TwinKernel.Fleet.Coordinator.Rollouts;

/// <summary>Asks one gate once. Whatever goes wrong with asking is <see cref="GateOutcome.Error"/>, which never passes.</summary>
public sealed class GateQuestion(IHttpClientFactory http, InspectGuest inspect)
{
    public const string Client = "gates";

    /// <summary>The longest answer that is read, in bytes.</summary>
    public const int LongestAnswer = 1024 * 1024;

    /// <summary>Guests that are probed at the same time.</summary>
    private const int ProbesAtOnce = 16;

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
                GateKind.GuestProbe => await ProbeAsync(guests, patience.Token),
                _ => (GateOutcome.Error, $"a gate of kind {gate.Kind} cannot be asked"),
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

    /// <summary>Every guest that the wave upgraded must answer its host.</summary>
    private async Task<(GateOutcome, string)> ProbeAsync(IReadOnlyList<GuestId> guests, CancellationToken cancellation)
    {
        if (guests.Count == 0)
        {
            return (GateOutcome.Inconclusive, "the wave upgraded no guest that could be asked");
        }

        List<(GateOutcome Outcome, string Detail)> bad = [];
        await Parallel.ForEachAsync(guests, new ParallelOptions { MaxDegreeOfParallelism = ProbesAtOnce, CancellationToken = cancellation }, async (guest, stop) =>
        {
            try
            {
                await inspect.HandleAsync(new Wire.InspectGuestRequest { Host = guest.Host, Guest = guest.Name }, stop);
            }
            catch (RpcException e)
            {
                lock (bad)
                {
                    bad.Add((e.StatusCode == StatusCode.FailedPrecondition ? GateOutcome.Failure : GateOutcome.Error, $"{guest}: {e.Status.Detail}"));
                }
            }
        });
        return bad.Count == 0
            ? (GateOutcome.Success, $"all {guests.Count} guests answer")
            : (bad.Exists(one => one.Outcome == GateOutcome.Failure) ? GateOutcome.Failure : GateOutcome.Error, string.Join(" ", bad.Take(5).Select(one => one.Detail)));
    }
}
