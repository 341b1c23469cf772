import { writeLine } from './context.ts';
import type { Output } from './context.ts';

/** Tells what takes time: one line rewritten on a terminal, one line a step anywhere else. */
export class Progress {
  private readonly output: Output;
  private isLineOpen = false;

  constructor(output: Output) {
    this.output = output;
  }

  step(message: string): void {
    if (this.output.isTTY === true) {
      this.output.write(`\r\u001B[K${message} …`);
      this.isLineOpen = true;
    } else {
      writeLine(this.output, message);
    }
  }

  /** Clears the open line, so that what follows starts on a clean one. */
  done(): void {
    if (this.isLineOpen) this.output.write('\r\u001B[K');
    this.isLineOpen = false;
  }
}
