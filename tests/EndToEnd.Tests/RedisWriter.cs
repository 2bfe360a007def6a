using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace TwinKernel.Fleet.EndToEnd.Tests;

/// <summary>Of a Redis, or of a service that understands its SET, GET, MGET and INFO.</summary>
/// <param name="port">On loopback.</param>
/// <inheritdoc cref="ServiceWriter(Func{CancellationToken, Task{IWriterConnection}}, TimeSpan, TimeSpan, bool)" path="/param[@name='reads']"/>
internal sealed class RedisWriter(int port, bool reads = false) : ServiceWriter(late => Connection.OpenAsync(port, late), TimeSpan.FromMilliseconds(250), TimeSpan.Zero, reads)
{
    private sealed class Connection(TcpClient client) : IWriterConnection
    {
        public static async Task<IWriterConnection> OpenAsync(int port, CancellationToken late)
        {
            TcpClient client = new() { NoDelay = true };
            try
            {
                await client.ConnectAsync("127.0.0.1", port, late);
                return new Connection(client);
            }
            catch
            {
                client.Dispose();
                throw;
            }
        }

        public async Task<string> ServerAsync(CancellationToken late) =>
            (await AskAsync(late, "INFO", "server")).Split("\r\n").FirstOrDefault(line => line.StartsWith("run_id:", StringComparison.Ordinal), "one that does not say");

        public async Task<string?> WriteAsync(long key, CancellationToken late) =>
            await AskAsync(late, "SET", $"w:{key}", key.ToString(CultureInfo.InvariantCulture)) is var answer && answer == "+OK\r\n" ? null : answer.Trim();

        public async Task<string?> ReadAsync(CancellationToken late) => await AskAsync(late, "GET", "w:0") is ['$', ..] ? null : "no text";

        public async Task<IReadOnlyList<long>> MissingAsync(long[] keys)
        {
            using StreamReader reader = new(client.GetStream(), Encoding.ASCII, leaveOpen: true);
            await client.GetStream().WriteAsync(Command(["MGET", .. keys.Select(key => $"w:{key}")]));
            (await reader.ReadLineAsync()).ShouldBe($"*{keys.Length}");
            List<long> missing = [];
            foreach (long key in keys)
            {
                string? value = await reader.ReadLineAsync() == "$-1" ? null : await reader.ReadLineAsync();
                if (value != key.ToString(CultureInfo.InvariantCulture))
                {
                    missing.Add(key);
                }
            }

            return missing;
        }

        public void Dispose() => client.Dispose();

        private static byte[] Command(params IReadOnlyList<string> words) =>
            Encoding.ASCII.GetBytes($"*{words.Count}\r\n{string.Concat(words.Select(word => $"${word.Length}\r\n{word}\r\n"))}");

        /// <summary>Reads a whole answer: a line, or a text with its length in front.</summary>
        private async Task<string> AskAsync(CancellationToken late, params IReadOnlyList<string> words)
        {
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(Command(words), late);
            byte[] bytes = new byte[8192];
            int length = 0, needed = 0;
            while (length == 0 || bytes[length - 1] != '\n' || length < needed)
            {
                int count = await stream.ReadAsync(bytes.AsMemory(length), late);
                length += count > 0 ? count : throw new IOException("closed");
                int line = bytes.AsSpan(0, length).IndexOf((byte)'\n') + 1;
                needed = bytes[0] == '$' && line > 0 && int.Parse(Encoding.ASCII.GetString(bytes, 1, line - 3), CultureInfo.InvariantCulture) is >= 0 and var text ? line + text + 2 : 0;
            }

            return Encoding.ASCII.GetString(bytes, 0, length);
        }
    }
}
