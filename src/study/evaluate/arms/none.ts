import { plainArm } from './plain.ts';

export const none = plainArm('none', 'No control: all sessions under the one limit of the node.', () => ({}));
