// Says whether a message with shared memory could be read here.

self.onconnect = ({ ports: [port] }) => {
  port.onmessage = () => port.postMessage('message');
  port.onmessageerror = () => port.postMessage('messageerror');
};
