import { createRoot } from 'react-dom/client'

import '../shared/base.css'
import { Pane } from './pane.js'
import './pane.css'

createRoot(document.getElementById('root')!).render(<Pane userId={new URLSearchParams(location.search).get('user') ?? 'demo-ana'} />)
