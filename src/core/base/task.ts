/**
 * Straight-line code over slow calls without promises: a task is a generator that yields calls which take a
 * callback, and `runTask` resumes it with each result. Recovery and start-up read as a story this way, and stay
 * synchronous between completions, as everything in core.
 */
export type Done<T> = (error: Error | undefined, value: T) => void;

/** A slow call: begins at once, completes later through `done`, never inside the call. */
export type Call<T> = (done: Done<T>) => void;

// biome-ignore lint/suspicious/noExplicitAny: the value sent back has the type of the call that was yielded, which TypeScript cannot express
export type Task<T> = Generator<Call<any>, T, any>;

/** Awaits one call inside a task: `const size = yield* wait((done) => file.size(done))`. Throws the call's error. */
export function* wait<T>(call: Call<T>): Task<T> {
  return (yield call) as T;
}

/**
 * Runs a task to its end.
 * @param done is told the task's result, or what it threw; it may be called inside `runTask` if the task never waits.
 */
export function runTask<T>(
  task: Task<T>,
  done: (error: Error | undefined, value: T | undefined) => void,
): void {
  const resume = (error: Error | undefined, value: unknown): void => {
    let step: IteratorResult<Call<unknown>, T>;
    try {
      step = error === undefined ? task.next(value) : task.throw(error);
    } catch (thrown) {
      done(thrown as Error, undefined);
      return;
    }
    if (step.done === true) done(undefined, step.value);
    else step.value(resume);
  };
  resume(undefined, undefined);
}
