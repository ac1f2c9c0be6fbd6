import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The registry of the stories, their deadlines, and checks. */
final class Harness {
    private static final long WAIT_MS = 60_000;
    private static final long STORY_SECONDS = 240;

    interface Body {
        void run() throws Exception;
    }

    interface Story {
        void tell(Stories stage) throws Exception;
    }

    interface Stage {
        Stories set() throws Exception;
    }

    private final Map<String, Story> stories = new LinkedHashMap<>();

    void story(String name, Story story) {
        stories.put(name, story);
    }

    static String unique(String what) {
        return "conformance-" + what + "-" + Long.toHexString(ThreadLocalRandom.current().nextLong());
    }

    static void check(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void same(String what, Object actual, Object expected) {
        check(what + ": " + actual + " instead of " + expected, Objects.equals(actual, expected));
    }

    /** Polls until it is true. */
    static void until(String what, Callable<Boolean> probe) throws Exception {
        found(what, () -> probe.call() ? Optional.of(true) : Optional.empty());
    }

    /** Polls until there is something, which is returned. */
    static <T> T found(String what, Callable<Optional<T>> probe) throws Exception {
        long end = System.currentTimeMillis() + WAIT_MS;
        while (true) {
            Optional<T> found = probe.call();
            if (found.isPresent()) {
                return found.get();
            }
            check("not within " + WAIT_MS + " ms: " + what, System.currentTimeMillis() < end);
            Thread.sleep(20);
        }
    }

    /** Tells the stories that are named, or all, each on a stage of its own; the exit code. */
    int tell(String[] names, Stage stage, Story tidy) {
        List<String> wanted = names.length == 0 ? new ArrayList<>(stories.keySet()) : List.of(names);
        int failed = 0;
        for (String name : wanted) {
            Story story = stories.get(name);
            String reason = story == null ? "no such story" : attempt(() -> {
                Stories set = stage.set();
                try {
                    story.tell(set);
                } finally {
                    tidy.tell(set);
                }
            });
            failed += reason == null ? 0 : 1;
            System.out.println(reason == null ? "ok " + name : "FAIL " + name + ": " + reason);
        }
        System.out.println((wanted.size() - failed) + " passed, " + failed + " failed");
        return failed == 0 ? 0 : 1;
    }

    private static String attempt(Body body) {
        FutureTask<Void> task = new FutureTask<>(() -> {
            body.run();
            return null;
        });
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
        try {
            task.get(STORY_SECONDS, TimeUnit.SECONDS);
            return null;
        } catch (TimeoutException late) {
            return "not done within " + STORY_SECONDS + " s";
        } catch (ExecutionException | InterruptedException error) {
            Throwable cause = error.getCause() == null ? error : error.getCause();
            cause.printStackTrace();
            return String.join(" ", String.valueOf(cause).split("\\s+"));
        }
    }
}
