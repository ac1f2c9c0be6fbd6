<?php
// The registry of the stories, their deadlines, and checks.
declare(strict_types=1);

const STORY_SECONDS = 240;
const WAIT_SECONDS = 60;

final class Failed extends \RuntimeException
{
}

function unique(string $what): string
{
    return "conformance-$what-" . bin2hex(random_bytes(6));
}

function same(string $what, mixed $actual, mixed $expected): void
{
    if ($actual !== $expected) {
        throw new Failed("$what: " . json_encode($actual) . ' instead of ' . json_encode($expected));
    }
}

/** Polls until the probe gives something true, which is returned. */
function eventually(string $what, callable $probe): mixed
{
    $end = microtime(true) + WAIT_SECONDS;
    while (!($found = $probe())) {
        if (microtime(true) > $end) {
            throw new Failed('not within ' . WAIT_SECONDS . " s: $what");
        }
        usleep(20_000);
    }
    return $found;
}

/** Tells the stories that are named, or all, each with a session of its own; the exit code. */
function tell(array $stories, array $names): int
{
    pcntl_async_signals(true);
    pcntl_signal(SIGALRM, fn () => throw new Failed('not done within ' . STORY_SECONDS . ' s'));
    $failed = 0;
    $wanted = $names ?: array_keys($stories);
    foreach ($wanted as $name) {
        $session = null;
        pcntl_alarm(STORY_SECONDS);
        try {
            if (!isset($stories[$name])) {
                throw new Failed('no such story');
            }
            $session = new Session();
            $stories[$name]($session);
            $verdict = "ok $name";
        } catch (\Throwable $error) {
            fwrite(STDERR, "$error\n");
            $failed++;
            $verdict = "FAIL $name: " . preg_replace('/\s+/', ' ', ($error instanceof Failed ? '' : get_class($error) . ': ') . $error->getMessage());
        }
        pcntl_alarm(0);
        $session?->close();
        echo $verdict, "\n";
    }
    echo count($wanted) - $failed, " passed, $failed failed\n";
    return $failed ? 1 : 0;
}
