/** Says after each file how far the run is, where the report goes to a file or a pipe; a terminal has a line of its own. */
import type { Reporter, TestModule, TestSpecification } from "vitest/node";

export default class Progress implements Reporter {
  private readonly began = Date.now();
  private total = 0;
  private done = 0;

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    this.total = specifications.length;
  }

  onTestModuleEnd(module: TestModule): void {
    this.done++;
    if (process.stdout.isTTY) return;
    const seconds = Math.round((Date.now() - this.began) / 1000);
    const file = module.relativeModuleId;
    console.log(`[${this.done}/${this.total} files, ${seconds} s] ${module.state()}: ${file}`);
  }
}
