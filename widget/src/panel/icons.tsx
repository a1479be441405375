// The panel's pictures; each stands in a button that has a name.

import type {ReactNode} from 'react';

const icon = (shape: ReactNode) => () => (
  <svg
    viewBox="0 0 24 24"
    width="20"
    height="20"
    aria-hidden="true"
    focusable="false"
    fill="none"
    stroke="currentColor"
    strokeWidth="2"
    strokeLinecap="round"
    strokeLinejoin="round"
  >
    {shape}
  </svg>
);

export const CloseIcon = icon(<path d="M6 6l12 12M18 6L6 18" />);
export const SendIcon = icon(<path d="M12 19V5M5.5 11.5L12 5l6.5 6.5" />);
export const StopIcon = icon(<rect x="7" y="7" width="10" height="10" rx="1.5" fill="currentColor" />);
export const CopyIcon = icon(<path d="M9 9h11v11H9zM5 15H4V4h11v1" />);
export const DoneIcon = icon(<path d="M5 12.5l4.5 4.5L19 7.5" />);
const THUMB = 'M7 11v9H4v-9zM7 11l4-8c1.7 0 2.6 1.2 2.3 2.8L12.7 9H18a2 2 0 0 1 2 2.4l-1.3 6.9A2 2 0 0 1 16.700 20H7';
export const UpIcon = icon(<path d={THUMB} />);
export const DownIcon = icon(<path d={THUMB} transform="rotate(180 12 12)" />);
